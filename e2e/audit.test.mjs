// The audits of GraphQL over HTTP by the specification's own project: every MUST, SHOULD and MAY.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverAudits } from 'graphql-http';
import { bearer } from './clients.mjs';
import { Server } from './server.mjs';

test('GraphQL over HTTP', async (t) => {
  const server = await Server.start(t);
  const audits = serverAudits({
    url: `${server.url}/graphql`,
    fetchFn: (url, options = {}) => fetch(url, { ...options, headers: { ...options.headers, ...bearer } }),
  });
  for (const audit of audits) {
    await t.test(`${audit.id} ${audit.name}`, async () => {
      const result = await audit.fn();
      assert.equal(result.status, 'ok', result.reason);
    });
  }
});
