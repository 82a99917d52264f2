// Leaves the package to Node, which loads the native engine; in the server's bundle it would be WebAssembly.
export default { serverExternalPackages: ["hookproof"] };
