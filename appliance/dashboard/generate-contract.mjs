// Turns the appliance's contract (AsyncAPI, on standard input) into TypeScript, on standard output:
//   python -c "from appliance.server.pages.contract import text; print(text())" |
//     node appliance/dashboard/generate-contract.mjs > appliance/dashboard/src/live/contract.d.ts
// `Events`: by name, what an event carries. `Calls`: by name, the argument of a call, which may be left out where no key
// of it is needed, and the reply of one that succeeded; a refusal is of the type `Refusal`.
import { text } from 'node:stream/consumers';
import { compile } from 'json-schema-to-typescript';

const BANNER = "/* Generated from the appliance's contract by generate-contract.mjs, which says how: do not edit it. */";

const contract = JSON.parse(await text(process.stdin));
const last = (reference) => reference.split('/').at(-1);
const find = (kind, reference) => contract.components[kind][last(reference)];
const isNullable = ({ anyOf = [] }) => anyOf.some(({ type }) => type === 'null');
const needsNothing = (schema) => (schema.$ref ? (find('schemas', schema.$ref).required ?? []).length === 0 : isNullable(schema));
const object = (title, properties, optional) => ({
  ...{ title, type: 'object', properties },
  required: Object.keys(properties).filter((key) => key !== optional),
});

const events = {};
const calls = {};
for (const { action, channel } of Object.values(contract.operations)) {
  const { address, messages } = contract.channels[last(channel.$ref)];
  const payloads = Object.values(messages).map(({ $ref }) => find('messages', $ref).payload);
  if (action === 'send') {
    events[address] = { anyOf: payloads };
  } else {
    const [argument, { anyOf }] = payloads;
    const reply = { anyOf: anyOf.filter(({ $ref }) => last($ref) !== 'Refusal') };
    calls[address] = object(undefined, { argument, reply }, needsNothing(argument) && 'argument');
  }
}

const root = object('Contract', { events: object('Events', events), calls: object('Calls', calls), refusal: { $ref: '#/components/schemas/Refusal' } });
// The compiler names a type once only where a reference has nothing beside it, and knows tuples as they were before 2020.
const plain = JSON.stringify({ ...root, components: contract.components }, (key, value) => {
  if (value?.$ref) return { $ref: value.$ref };
  return value?.prefixItems ? { ...value, prefixItems: undefined, items: value.prefixItems } : value;
});
const options = { additionalProperties: false, bannerComment: BANNER, style: { singleQuote: true, printWidth: 140 } };
process.stdout.write(await compile(JSON.parse(plain), 'Contract', options));
