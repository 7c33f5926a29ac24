import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Server } from './server.mjs';

test('introspection is a setting', async (t) => {
  const query = '{ __schema { queryType { name } } __typename }';
  for (const [value, asked] of [['True', true], ['False', false]]) {
    const server = await Server.start(t, { INTROSPECTION: value });
    const { body } = await server.post({ query });
    assert.equal(body.data?.__schema?.queryType?.name, asked ? 'Query' : undefined, value);
    assert.equal(Boolean(body.errors), !asked, value);
    const { viewer } = await server.do('{ viewer { name } }');
    assert.ok(viewer.name);
  }
});
