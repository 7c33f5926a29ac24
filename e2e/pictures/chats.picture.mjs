// An alert in Teams, Discord and Slack, drawn by libraries for their messages.
import { startProviders } from '../providers.mjs';
import { shoot } from './common.mjs';

const alert = {
  type: 'disk_full',
  severity: 'HIGH',
  message: '/var/lib/postgresql has 412 MB left of 200 GB.\nWrites stop at 0. Runbook: https://example.com/runbooks/disk_full',
  rustbucket: { id: 'BKT123456', name: 'Production Node 1' },
};

export default async function (t, browser) {
  const providers = await startProviders(t);
  await providers.server.createAlert(alert);
  const { slack, teams, discord } = await providers.sent(/Rustbucket Alert/);

  const page = (background, padding = 16) =>
    `<!doctype html><meta charset="utf-8"><body style="margin:0;background:${background}"><div id="picture" style="padding:${padding}px;background:${background}"></div>`;
  for (const colorScheme of ['light', 'dark']) {
    const dark = colorScheme === 'dark';
    await shoot(browser, dark ? 'teams-dark' : 'teams', {
      html: page(dark ? '#1f1f1f' : '#f5f5f5'),
      script: 'teams.mjs',
      data: { card: teams.body.attachments[0].content, dark },
      colorScheme,
    });
  }
  await shoot(browser, 'discord', { html: page('#313338', 0), script: 'discord.mjs', data: discord.body, colorScheme: 'dark' });
  await shoot(browser, 'slack', { html: page('#ffffff'), script: 'slack.mjs', data: slack.body });
}
