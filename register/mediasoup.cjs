// What `import` and `require` of mediasoup give an application. Node.js finds the names for
// `import { … }` only where they are assigned one by one, and only in a file of its own.

Object.defineProperty(exports, '__esModule', { value: true })
const mediasoup = Reflect.get(globalThis, Symbol.for('mafalda.mediasoup'))

exports.createWorker = mediasoup.createWorker
exports.errors = mediasoup.errors
exports.extras = mediasoup.extras
exports.getSupportedRtpCapabilities = mediasoup.getSupportedRtpCapabilities
exports.observer = mediasoup.observer
exports.ortc = mediasoup.ortc
exports.parseScalabilityMode = mediasoup.parseScalabilityMode
exports.setLogEventListeners = mediasoup.setLogEventListeners
exports.version = mediasoup.version
exports.workerBin = mediasoup.workerBin
