/* The types of src/contract.gen.ts out of the contract, ../httpapi/openapi.json: node contract.mjs [OUT]
 *
 * What is no good OpenAPI by Redocly's rules is refused: those of its library, which makes the types with us,
 * rather than its program, whose 200 packages are the same rules and a server.
 *
 * What stands there for the settings' features and intervals is any name here, for the page learns them as
 * it runs. A member per feature is an index signature, whose type has that of every other member in it, as
 * TypeScript wants it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import openapiTS, { astToString } from 'openapi-typescript';

const text = readFileSync(new URL('../httpapi/openapi.json', import.meta.url), 'utf8');
const STANDS_FOR = /^\$\{\w+\}$/;
const HEAD = '/* Made of httpapi/openapi.json by `make contract`: change that, not this. */\n\n';

function memberPerFeature(schema) {
  const { '${feature}': each, ...others } = schema.properties;

  return { properties: others, additionalProperties: Object.keys(others).length > 0 ? { anyOf: [...Object.values(others), each] } : each };
}

function general(value) {
  if (Array.isArray(value)) return value.filter((one) => !STANDS_FOR.test(one)).map(general);
  if (value === null || typeof value !== 'object') return value;
  const schema = Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => typeof one !== 'string' || !STANDS_FOR.test(one))
      .map(([name, one]) => [name, general(one)]),
  );
  if (Array.isArray(value.enum) && value.enum.some((one) => STANDS_FOR.test(one))) return { ...schema, type: 'string', enum: undefined };
  return schema.properties?.['${feature}'] ? { ...schema, ...memberPerFeature(schema) } : schema;
}

/* Schemas of events stand behind x-events, where the rules do not look. */
const RULES = { extends: ['recommended'], rules: { 'no-unused-components': 'off' } };

async function lint(document) {
  const found = await lintFromString({ source: JSON.stringify(document), absoluteRef: 'openapi.json', config: await createConfig(RULES) });

  for (const { severity, ruleId, message, location } of found) console.error(`openapi.json: ${severity} ${ruleId}: ${message} ${location[0].pointer ?? ''}`);
  if (found.length > 0) process.exit(1);
}

const document = JSON.parse(JSON.stringify(general(JSON.parse(text))));
await lint({ ...document, info: { ...document.info, version: '0' }, security: [{ bearer: [] }, { basic: [] }] });
const types = astToString(await openapiTS(document, { rootTypes: true, rootTypesNoSchemaPrefix: true }));
writeFileSync(process.argv[2] ?? new URL('src/contract.gen.ts', import.meta.url), HEAD + types);
