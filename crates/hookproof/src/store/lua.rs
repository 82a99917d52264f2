//! The script that Redis and Valkey run.
