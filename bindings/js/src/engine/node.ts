export { loadNative as load } from "../engine-native.js";
