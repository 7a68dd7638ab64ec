// The peer: what the appliance's server does for a dashboard, done with Node's own socket.io: the token is verified, the
// rooms of its departments are joined, the snapshot is sent.
//
// In, over standard input, a word a line: the kind of event to emit, as often as it is to be emitted in one step:
//     state 1     moment 16
// Out: the port, as JSON.
const { readFileSync } = require('node:fs');
const { createServer } = require('node:http');
const https = require('node:https');
const { Server } = require('socket.io');
const jwt = require('jsonwebtoken');
const readline = require('node:readline');

const { secret, at, departments, states, padding, pem } = JSON.parse(process.argv[2]);
const key = Buffer.from(secret, 'hex');
// The time is the tests': tokens are judged at the moment for which they were made.
const rules = { algorithms: ['HS256'], issuer: 'appliance', audience: 'appliance-clients', clockTimestamp: at };

const http = pem === null ? createServer() : https.createServer({ key: readFileSync(pem), cert: readFileSync(pem) });
const io = new Server(http, { cors: { origin: '*' }, maxHttpBufferSize: 16384 });

io.use((socket, next) => {
  try {
    socket.data.grant = jwt.verify(socket.handshake.auth.token, key, rules);
    next();
  } catch {
    next(new Error('The token is not one of this appliance'));
  }
});

io.on('connection', (socket) => {
  const sees = (id) => socket.data.grant.departments === '*' || socket.data.grant.departments.includes(id);
  for (const id of departments) if (sees(id)) socket.join(`department:${id}`);
  for (const [name, payload] of states) {
    if (payload.departmentId === undefined || sees(payload.departmentId)) socket.emit(name, payload);
  }
});

const now = () => `${process.hrtime.bigint()} `;

const emit = {
  state: () => io.to(`department:${departments[0]}`).emit('department:status', {
    departmentId: departments[0],
    timestamp: new Date().toISOString(),
    status: { active: true, connectedUsers: 25, healthScore: 0.95, reasons: [now() + padding] },
  }),
  moment: () => io.to(`department:${departments[0]}`).emit('ip:blocked', {
    departmentId: departments[0],
    timestamp: new Date().toISOString(),
    ip: { address: '192.168.1.100', reason: now() + padding, duration: 3600 },
  }),
};

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [kind, count] = line.split(' ');
  for (let number = 0; number < Number(count); number += 1) emit[kind]();
}).on('close', () => process.exit(0));

http.listen({ port: 0, host: '127.0.0.1', backlog: 512 }, () => console.log(JSON.stringify({ port: http.address().port })));
