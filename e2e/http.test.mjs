import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearer } from './clients.mjs';
import { Server, token } from './server.mjs';

const viewer = '{ viewer { name role } }';

test('HTTP', async (t) => {
  const server = await Server.start(t);
  const get = (parameters, headers = bearer) =>
    fetch(`${server.url}/graphql?${new URLSearchParams(parameters)}`, { headers: { Accept: 'application/json', ...headers } });
  const postRaw = (body, headers) => fetch(`${server.url}/graphql`, { method: 'POST', body, headers: { ...bearer, ...headers } });
  const count = async () => (await server.do('{ alerts(first: 0) { totalCount } }')).alerts.totalCount;

  await t.test('a query', async () => {
    const { status, body } = await server.post({ query: viewer });
    assert.equal(status, 200);
    assert.equal(body.data.viewer.role, 'ADMIN');
    assert.ok(body.data.viewer.name);
  });

  await t.test('a query by GET', async () => {
    const answer = await get({ query: 'query ($n: Int) { alerts(first: $n) { nodes { id } } }', variables: '{"n": 1}' });
    assert.equal(answer.status, 200);
    assert.deepEqual((await answer.json()).data, { alerts: { nodes: [] } });
  });

  for (const [name, authorization] of [
    ['no token', ''],
    ['a wrong token', 'Bearer wrong'],
    ['an empty token', 'Bearer '],
    ['a token without its scheme', token],
    ['another scheme', `Basic ${Buffer.from(`x:${token}`).toString('base64')}`],
  ]) {
    await t.test(`${name}: 401, UNAUTHENTICATED`, async () => {
      for (const query of [viewer, '{ __typename }', '{ nonsense', 'mutation { deleteChannels(ids: []) }']) {
        const { status, body } = await server.post({ query }, { Authorization: authorization });
        assert.equal(status, 401, query);
        assert.equal(body.errors[0].extensions.code, 'UNAUTHENTICATED', query);
        assert.ok(!body.data, query);
      }
      assert.equal((await get({ query: viewer }, { Authorization: authorization })).status, 401);
    });
  }

  await t.test('a token in the address is none', async () => {
    for (const name of ['token', 'access_token', 'Authorization', 'authorization']) {
      assert.equal((await get({ query: viewer, [name]: `Bearer ${token}` }, {})).status, 401);
    }
  });

  await t.test('a mutation by GET: 405', async () => {
    const before = await count();
    const answer = await get({ query: 'mutation { createAlert(input: { type: "e2e", message: "by GET" }) { id } }' });
    assert.equal(answer.status, 405);
    assert.match((await answer.json()).errors[0].message, /./);
    assert.equal(await count(), before);
  });

  await t.test('a body that is no JSON: 415', async () => {
    const create = 'mutation { createAlert(input: { type: "e2e", message: "by form" }) { id } }';
    const before = await count();
    const form = new FormData();
    form.set('operations', JSON.stringify({ query: create, variables: {} }));
    form.set('map', '{}');
    for (const [body, headers] of [
      [new URLSearchParams({ query: create }), {}],
      [form, {}],
      [JSON.stringify({ query: create }), { 'Content-Type': 'text/plain' }],
      [create, { 'Content-Type': 'application/graphql' }],
    ]) {
      const answer = await postRaw(body, headers);
      assert.equal(answer.status, 415, `${headers['Content-Type'] ?? body.constructor.name}`);
      await answer.text();
    }
    assert.equal(await count(), before);
  });

  await t.test('over 1 MB: 413', async () => {
    const before = await count();
    const query = `mutation { createAlert(input: { type: "e2e", message: "big" }) { id } } # ${'x'.repeat(1 << 20)}`;
    const answer = await postRaw(JSON.stringify({ query }), { 'Content-Type': 'application/json' });
    assert.equal(answer.status, 413);
    await answer.text();
    assert.equal(await count(), before);
    const fits = JSON.stringify({ query: `${viewer} # ${'x'.repeat(900_000)}` });
    assert.equal((await postRaw(fits, { 'Content-Type': 'application/json' })).status, 200);
  });

  await t.test('a batch: 400', async () => {
    const { status, body } = await server.post([{ query: viewer }, { query: viewer }]);
    assert.equal(status, 400);
    assert.ok(body.errors[0].message);
  });

  for (const text of ['', '{', 'null', '"text"', '{"query": 1}', '{}', '{"query": "{ __typename }", "variables": 1}']) {
    await t.test(`not a request at all, ${JSON.stringify(text)}: 400`, async () => {
      const { status, body } = await server.post(text);
      assert.equal(status, 400);
      assert.notEqual(body.errors[0].extensions.code, 'INTERNAL'); // it is the client's fault
      assert.ok(!/Go |graphql\.|json:/.test(body.errors[0].message), body.errors[0].message);
    });
  }

  await t.test('errors carry their code', async () => {
    for (const [query, code] of [
      ['{ viewer', 'GRAPHQL_PARSE_FAILED'],
      ['{ nonsense }', 'GRAPHQL_VALIDATION_FAILED'],
      ['{ alert(id: "999999999") { id } }', 'NOT_FOUND'],
      ['mutation { createAlert(input: { type: "e2e", message: " " }) { id } }', 'BAD_USER_INPUT'],
    ]) {
      const { body } = await server.post({ query });
      assert.equal(body.errors[0].extensions.code, code, query);
    }
  });
});
