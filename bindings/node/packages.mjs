#!/usr/bin/env node
// packages.mjs FOLDER: writes what is published into a folder, ready for `npm pack` and `npm publish`: the package with
// its platform packages as optional dependencies, and the platform packages of the engines that are built here.
//
// The dependencies are added only now: a working copy must not install engines that were published from another one.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const source = join(root, "bindings/js");
const out = process.argv[2];
if (out === undefined) throw new Error("usage: packages.mjs FOLDER");

// As napi-rs spells platforms: npm installs the one whose `os`, `cpu` and `libc` are the machine's.
const PLATFORMS = [
  { triple: "linux-x64-gnu", os: "linux", cpu: "x64", libc: "glibc", target: "x86_64-unknown-linux-gnu" },
  { triple: "linux-x64-musl", os: "linux", cpu: "x64", libc: "musl", target: "x86_64-unknown-linux-musl" },
  { triple: "linux-arm64-gnu", os: "linux", cpu: "arm64", libc: "glibc", target: "aarch64-unknown-linux-gnu" },
  { triple: "linux-arm64-musl", os: "linux", cpu: "arm64", libc: "musl", target: "aarch64-unknown-linux-musl" },
  { triple: "darwin-x64", os: "darwin", cpu: "x64", target: "x86_64-apple-darwin" },
  { triple: "darwin-arm64", os: "darwin", cpu: "arm64", target: "aarch64-apple-darwin" },
  { triple: "win32-x64-msvc", os: "win32", cpu: "x64", target: "x86_64-pc-windows-msvc" },
  { triple: "win32-arm64-msvc", os: "win32", cpu: "arm64", target: "aarch64-pc-windows-msvc" },
];

const { scripts, devDependencies, ...published } = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
const { version, license, repository, engines } = published;
const engine = (triple) => `@hookproof/engine-${triple}`;

rmSync(out, { recursive: true, force: true });
write("hookproof", {
  ...published,
  optionalDependencies: Object.fromEntries(PLATFORMS.map(({ triple }) => [engine(triple), version])),
});
for (const part of ["dist", "engine/hookproof_bg.wasm", "engine/inline.cjs", "native", "README.md"])
  cpSync(join(source, part), join(out, "hookproof", part), { recursive: true });

for (const { triple, os, cpu, libc, target } of PLATFORMS) {
  const binary = `hookproof.${triple}.node`;
  if (!existsSync(join(source, "engine", binary))) continue;
  write(`engine-${triple}`, {
    name: engine(triple),
    version,
    description: `The native engine of the npm package \`hookproof\` for ${target}`,
    license,
    repository: { ...repository, directory: "bindings/node" },
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc === undefined ? {} : { libc: [libc] }),
    main: binary,
    files: [binary],
  });
  cpSync(join(source, "engine", binary), join(out, `engine-${triple}`, binary));
}

function write(folder, manifest) {
  mkdirSync(join(out, folder), { recursive: true });
  writeFileSync(join(out, folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const name of ["LICENSE-APACHE", "LICENSE-MIT"]) cpSync(join(root, name), join(out, folder, name));
}
