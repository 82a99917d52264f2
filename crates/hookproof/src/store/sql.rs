//! The statements that PostgreSQL and SQLite run.
