// Signed messages as a receiver sees them that uses the Standard Webhooks library of its own language.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { Receiver } from './receiver.mjs';
import { Server } from './server.mjs';

const old = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

test('webhook signatures', async (t) => {
  const server = await Server.start(t);
  const receiver = await Receiver.start(t);
  const { createChannel } = await server.do('mutation ($input: CreateChannelInput!) { createChannel(input: $input) { id } }', {
    input: { name: 'signed', config: { webhook: { url: receiver.url, signingSecret: old } } },
  });
  const { id } = createChannel;
  let sent = 0;
  const next = async () => {
    await server.createAlert({ message: `grüße, 😀 & <b> ${(sent += 1)}` });
    const items = await receiver.requests.see('a message', (requests) => requests.length >= sent && requests);
    return items[sent - 1];
  };
  const verify = (secret, { body, headers }) => new Webhook(secret).verify(body, headers);

  await t.test('one secret', async () => {
    const message = await next();
    assert.equal(verify(old, message).message, `grüße, 😀 & <b> ${sent}`);
    assert.throws(() => verify(old, { ...message, body: message.body.replace('😀', '😁') }), WebhookVerificationError);
    assert.throws(() => verify(`whsec_${Buffer.alloc(32).toString('base64')}`, message), WebhookVerificationError);
    for (const name of ['webhook-id', 'webhook-timestamp']) {
      const headers = { ...message.headers, [name]: `${message.headers[name]}1`.slice(-message.headers[name].length) };
      assert.throws(() => verify(old, { ...message, headers }), WebhookVerificationError, name);
    }
  });

  const { rotateSigningSecret } = await server.do(
    'mutation ($id: ID!) { rotateSigningSecret(id: $id) { signingSecret channel { config { ... on WebhookConfig { signingSecret previousSigningSecret } } } } }',
    { id },
  );
  const fresh = rotateSigningSecret.signingSecret;
  assert.match(fresh, /^whsec_/);
  assert.deepEqual(rotateSigningSecret.channel.config, { signingSecret: '****', previousSigningSecret: '****' });

  await t.test('both secrets, while it is changed', async () => {
    const message = await next();
    assert.equal(message.headers['webhook-signature'].split(' ').length, 2);
    verify(old, message);
    verify(fresh, message);
    for (const secret of [old, fresh]) {
      assert.throws(() => verify(secret, { ...message, body: `${message.body} ` }), WebhookVerificationError);
    }
    const [first] = message.headers['webhook-signature'].split(' ');
    verify(fresh, { ...message, headers: { ...message.headers, 'webhook-signature': first } });
  });

  await t.test('the new secret alone, afterwards', async () => {
    await server.do('mutation ($id: ID!) { dropPreviousSigningSecret(id: $id) { id } }', { id });
    const message = await next();
    verify(fresh, message);
    assert.throws(() => verify(old, message), WebhookVerificationError);
  });

  await t.test('a body of the user\'s own is signed as it is sent', async () => {
    await server.do('mutation ($id: ID!, $config: WebhookConfigInput!) { updateChannel(id: $id, input: { config: { webhook: $config } }) { id } }', {
      id,
      config: { url: receiver.url, signingSecret: '****', bodyTemplate: '{ "text": {{json .Message}},\n "id": {{.ID}} }' },
    });
    const message = await next();
    assert.equal(message.body, `{ "text": "grüße, 😀 & <b> ${sent}",\n "id": ${sent} }`);
    verify(fresh, message);
  });

  for (const secret of [old, fresh]) assert.ok(!server.log.includes(secret.slice('whsec_'.length)), 'the log has a secret');
});
