// A client of the appliance, written as the documentation's samples are, told what to do over standard input.
//
// In, a JSON object a line:  {"emit": "ip:list", "args": [...], "id": 1}   with "id": ask for an acknowledgement
//                            {"emit": "ip:list", "code": "[Buffer.alloc(3)]"}   arguments that JSON cannot write
//                            {"close": true}   {"reconnect": true}
// Out, a JSON object a line: {"event": "usage:update", "data": {...}, "at": 1734238169000}
//                            {"id": 1, "data": {...}, "at": ...}   the acknowledgement
const { io } = require('socket.io-client');
const readline = require('node:readline');

const { url, auth, since, options } = JSON.parse(process.argv[2]);
let seen = since; // the number of the latest alert

const tell = (fact) => process.stdout.write(JSON.stringify({ ...fact, at: Date.now() }) + '\n');

// auth.tokens: one for each connection, the last one for all that follow.
const tokens = auth.tokens ?? [];
const credentials = () => (tokens.length ? { token: tokens.length > 1 ? tokens.shift() : tokens[0] } : auth);
const isFixed = since === null && !tokens.length;
const given = (give) => give(since === null ? credentials() : { ...credentials(), since: seen });
const socket = io(url, { auth: isFixed ? auth : given, ...options });

socket.io.on('open', () => {
  socket.io.engine.once('upgrade', (transport) => tell({ event: 'upgrade', data: transport.name }));
});
socket.on('connect', () => tell({ event: 'connect', data: { id: socket.id } }));
socket.on('connect_error', (error) => tell({ event: 'connect_error', data: { message: error.message, ...error.data } }));
socket.on('disconnect', (reason) => tell({ event: 'disconnect', data: reason }));
socket.io.on('reconnect_attempt', (attempt) => tell({ event: 'reconnect_attempt', data: attempt }));

if (options?.retries) socket.onAnyOutgoing((event, ...data) => tell({ event: 'sent', data: [event, ...data] }));

const documented = [
  'usage:update',
  'quota:alert',
  'security:incident',
  'department:status',
  'ip:blocked',
  'ip:unblocked',
  'quota:host',
  'quota:request',
  'device:new',
  'analytics:update',
  'analytics:anomaly',
  'system:health',
  'system:maintenance',
  'config:trial',
  'system:update',
  'error',
];
for (const event of documented) {
  socket.on(event, (data) => {
    if (data.alertId) seen = data.alertId;
    tell({ event, data });
  });
}
socket.onAny((event, ...data) => {
  if (!documented.includes(event)) tell({ event: 'undocumented', data: [event, ...data] });
});

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line);
  if (order.close) {
    socket.disconnect();
    return;
  }
  if (order.reconnect) {
    socket.disconnect().connect();
    return;
  }
  const args = order.code ? eval(order.code) : order.args;
  if (order.id && options?.retries) {
    socket.emit(order.emit, ...args, (error, response) => tell({ id: order.id, data: response ?? String(error) }));
  } else if (order.id) {
    socket.emit(order.emit, ...args, (response) => tell({ id: order.id, data: response }));
  } else {
    socket.emit(order.emit, ...args);
  }
}).on('close', () => process.exit(0));
