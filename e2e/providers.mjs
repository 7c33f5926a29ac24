// What the server sends to Slack, Teams and Discord, for tests and pictures.
import { Receiver } from './receiver.mjs';
import { Server } from './server.mjs';

export const publicURL = 'https://alerts.example.com';

// The paths of their webhooks: the receiver knows them apart by these, and answers as they do.
const paths = {
  slack: '/services/T000/B000/XXXX',
  teams: '/workflows/w/triggers/manual/paths/invoke?api-version=1&sig=s',
  discord: '/api/webhooks/1/token?thread_id=2',
};
const answers = { slack: { status: 200, body: 'ok' }, teams: { status: 202 }, discord: { status: 200, body: '{"id": "1"}' } };
const typeOf = ({ path }) => Object.keys(paths).find((type) => path.startsWith(paths[type].split('?')[0]));

// Starts a server with a channel of each type. The third and what comes soon after it wait, and are told in a digest.
export async function startProviders(t) {
  const server = await Server.start(t, { PUBLIC_URL: publicURL });
  const receiver = await Receiver.start(t);
  receiver.answer = (request) => answers[typeOf(request)];
  for (const type of Object.keys(paths)) {
    await server.do('mutation ($input: CreateChannelInput!) { createChannel(input: $input) { id } }', {
      input: {
        name: type,
        notifyOnResolve: true,
        rateLimit: { perMinute: 6, burst: 3 }, // so slow that no place comes free between two that a busy machine sends
        config: { [type]: { webhookUrl: new URL(receiver.url).origin + paths[type] } },
      },
    });
  }
  return {
    server,
    // The first messages that match, by type: {path, body}.
    sent: (pattern) =>
      receiver.requests.see(`a message like ${pattern} of every type`, (items) => {
        const found = {};
        for (const request of items) {
          if (pattern.test(request.body)) found[typeOf(request)] ??= { path: request.path, body: request.alert };
        }
        return Object.keys(found).length === Object.keys(paths).length && found;
      }),
    // The messages about one alert, about its end, and a digest.
    async messages(alert, others) {
      const id = await server.createAlert(alert);
      const created = await this.sent(/Rustbucket Alert: (?!RESOLVED)/);
      await server.do('mutation ($id: ID!) { resolveAlert(id: $id) { id } }', { id });
      const resolved = await this.sent(/Rustbucket Alert: RESOLVED: /);
      await server.do('mutation ($inputs: [CreateAlertInput!]!) { createAlerts(inputs: $inputs) { id } }', { inputs: others });
      return { created, resolved, digest: await this.sent(/Rustbucket Alert: \d+ alerts/) };
    },
  };
}
