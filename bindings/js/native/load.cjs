"use strict";
// The native engine of this platform: beside the package where it was built here, otherwise from the optional
// dependency that npm installed for the platform. Names are made at run time and nothing else is required, so that no
// bundler tries to follow, or leaves a call behind that fails before the fallback is reached.

/** The platform as napi-rs spells it: `linux-x64-gnu`, `darwin-arm64` ... */
function triple() {
  const { platform, arch } = process;
  if (platform === "linux") return `linux-${arch}-${isMusl() ? "musl" : "gnu"}`;
  return platform === "win32" ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

// The report names the C library that this very process runs on; what is installed beside it says nothing.
function isMusl() {
  if (typeof process.report?.getReport !== "function") return false;
  const { excludeNetwork } = process.report;
  process.report.excludeNetwork = true;
  try {
    return process.report.getReport().header.glibcVersionRuntime === undefined;
  } finally {
    process.report.excludeNetwork = excludeNetwork;
  }
}

/** The engine's functions, or an error that says what was tried. */
function load() {
  const name = triple();
  const tried = [];
  // In a bundle this file is somewhere else, if it is anywhere.
  const beside = typeof __dirname === "string" ? [`${__dirname}/../engine/hookproof.${name}.node`] : [];
  for (const place of [...beside, `@hookproof/engine-${name}`]) {
    try {
      return require(place);
    } catch (error) {
      tried.push(error.code === "MODULE_NOT_FOUND" ? `no ${place}` : `${place}: ${error.message}`);
    }
  }
  throw new Error(tried.join("; "));
}

module.exports = { load, triple };
