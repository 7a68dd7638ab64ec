// Loaded before the client (NODE_OPTIONS): its connections come from the address in LOCAL_ADDRESS, polling ones too,
// for which the client has no option.
const net = require('node:net');

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args;
  if (options?.port) options.localAddress = process.env.LOCAL_ADDRESS;
  return connect.apply(this, args);
};
