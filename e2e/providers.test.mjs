// What arrives at Slack, Teams and Discord, held against what they publish themselves.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import AC from 'adaptivecards/dist/adaptivecards.js';
import { parse as parseDiscord } from 'discord-markdown-parser';
import MarkdownIt from 'markdown-it';
import ts from 'typescript';
import { publicURL, startProviders } from './providers.mjs';

// Everything that one of them reads as markup, and what only looks like it.
const hostile = [
  'load: 5*3 **bold** _it_ __under__ ~~gone~~ ||hidden|| `code` ```block``` & <b>html</b> &amp; \\* C:\\temp\\',
  '# heading', '## heading', '-# small', '> quoted', '>>> quoted', '- item', '  * item', '+ item', '1. first', '2) second', '    indented', '---', '===',
  '[masked](https://example.com/login) ![image](https://example.com/x.png) <https://example.com|masked> (https://example.com/a_b_c)',
  '<!channel> <!here|x> @everyone @here <@123456789012345678> <@&123456789012345678> <#123456789012345678> <:fire:123456789012345678> <t:0:R> :fire:',
  '{{DATE(2025-12-12T10:30:00Z, LONG)}} {{TIME(2025-12-12T10:30:00Z)}} ${x} @{y}',
  'שלום עולם 👨‍👩‍👧‍👦 🇨🇭',
].join('\n');

const alert = { type: 'disk_full', severity: 'HIGH', message: hostile, rustbucket: { id: 'BKT_*1*', name: '[Node] _1_ `x`' } };
const others = Array.from({ length: 12 }, (_, i) => ({ ...alert, severity: ['LOW', 'MEDIUM', 'HIGH'][i % 3] }));

// What TypeScript has to say of a value of this type.
function complaints(imports, type, value) {
  const file = join(import.meta.dirname, 'value.ts');
  const options = { strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.Node16 };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  const text = `${imports}\nexport const value: ${type} = ${JSON.stringify(value)};\n`;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) => (name === file ? ts.createSourceFile(name, text, ...rest) : getSourceFile(name, ...rest));
  return ts.getPreEmitDiagnostics(ts.createProgram([file], options, host)).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

const withoutZeroWidth = (text) => text.replaceAll('\u200b', '');

test('Slack, Teams and Discord', async (t) => {
  const providers = await startProviders(t);
  const messages = await providers.messages(alert, others);
  const kinds = Object.entries(messages);

  await t.test('Slack: the types of its SDK', () => {
    const imports = "import type { KnownBlock, MessageAttachment } from '@slack/types';";
    const type = `{ text: string; mrkdwn: false; unfurl_links: false; unfurl_media: false; replace_original: false; delete_original: false;
      attachments: (Omit<MessageAttachment, 'blocks'> & { blocks: KnownBlock[] })[] }[]`;
    const bodies = kinds.map(([, { slack }]) => slack.body);
    assert.deepEqual(complaints(imports, type, bodies), []);
    const wrong = structuredClone(bodies);
    wrong[0].attachments[0].blocks[0].text.type = 'mrkdwn'; // a header takes plain text only
    assert.notDeepEqual(complaints(imports, type, wrong), []);
  });

  await t.test('Slack: texts are shown as they are', () => {
    const { blocks } = messages.created.slack.body.attachments[0];
    const { type, text, emoji } = blocks[1].text;
    assert.deepEqual({ type, emoji }, { type: 'plain_text', emoji: false });
    assert.equal(text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'), hostile);
    assert.ok(JSON.stringify(blocks).includes(`<${publicURL}/alerts/`));
  });

  await t.test('Discord: the types of its API', () => {
    const imports = "import type { RESTPostAPIWebhookWithTokenJSONBody } from 'discord-api-types/v10';";
    const type = 'RESTPostAPIWebhookWithTokenJSONBody[]';
    const bodies = kinds.map(([, { discord }]) => discord.body);
    assert.deepEqual(complaints(imports, type, bodies), []);
    assert.notDeepEqual(complaints(imports, type, [{ embeds: [{ titel: 'x' }] }]), []);
    for (const [, { discord }] of kinds) {
      assert.deepEqual(discord.body.allowed_mentions, { parse: [] });
      assert.equal(discord.path, '/api/webhooks/1/token?thread_id=2&wait=true');
    }
  });

  await t.test('Discord: texts are shown as they are', () => {
    const shown = (text) => {
      const flat = (nodes) =>
        nodes.map(({ type, content, name }) => {
          assert.ok(['text', 'url', 'br', 'newline', 'twemoji'].includes(type), `${type} in ${text}`);
          return { text: content, url: type === 'url' && flat(content), twemoji: name }[type] ?? '\n';
        }).join('');
      return flat(parseDiscord(text, 'extended'));
    };
    const [embed] = messages.created.discord.body.embeds;
    assert.equal(shown(embed.description), hostile);
    assert.equal(shown(embed.title), 'Rustbucket Alert: DISK_FULL');
    assert.deepEqual(embed.fields.slice(0, 4).map(({ value }) => shown(value)), ['HIGH', 'disk_full', '[Node] _1_ `x` (BKT_*1*)', 'open']);
    assert.equal(embed.url, `${publicURL}/alerts/1`);
    const lines = shown(messages.digest.discord.body.embeds[0].description).split('\n');
    assert.ok(lines.length > 5 && lines.every((line) => /^(🔴 HIGH|🟡 MEDIUM|🟢 LOW|✅ RESOLVED HIGH) disk_full: load: 5\*3 \*\*bold\*\*/.test(line)), lines.join('\n'));
  });

  await t.test('Teams: the Adaptive Cards library has nothing to complain of', () => {
    const events = (json) => {
      const context = new AC.SerializationContext(AC.Versions.v1_4);
      const card = new AC.AdaptiveCard();
      card.parse(json, context);
      const parsed = Array.from({ length: context.eventCount }, (_, i) => context.getEventAt(i).message);
      return [...parsed, ...card.validateProperties().validationEvents.map(({ message }) => message)];
    };
    for (const [kind, { teams }] of kinds) {
      const { type, attachments } = teams.body;
      assert.equal(type, 'message');
      assert.equal(attachments[0].contentType, 'application/vnd.microsoft.card.adaptive');
      assert.deepEqual(events(attachments[0].content), [], kind);
    }
    assert.notDeepEqual(events({ type: 'AdaptiveCard', version: '1.4', body: [{ type: 'TextBloc', text: 'x' }] }), []);
  });

  await t.test('Teams: texts are shown as they are', () => {
    // Teams renders with a Markdown library; this is the one that the library's documentation goes with.
    const markdown = new MarkdownIt();
    const shown = (text) => {
      assert.doesNotMatch(text, /\{\{(DATE|TIME)\(/, 'a date that the library fills in');
      const html = markdown.render(text).replaceAll(/<\/?p>/g, '').trimEnd();
      assert.doesNotMatch(html, /</, `markup in ${html}`);
      const entities = { lt: '<', gt: '>', quot: '"', amp: '&' };
      return withoutZeroWidth(html.replaceAll(/&(lt|gt|quot|amp);/g, (_, name) => entities[name]));
    };
    const { body, actions } = messages.created.teams.body.attachments[0].content;
    assert.equal(shown(body[1].text), hostile);
    assert.deepEqual(body[2].facts.slice(0, 4).map(({ value }) => shown(value)), ['HIGH', 'disk_full', '[Node] _1_ `x` (BKT_*1*)', 'open']);
    assert.deepEqual(actions, [{ type: 'Action.OpenUrl', title: 'Open', url: `${publicURL}/alerts/1` }]);
    for (const { text } of messages.digest.teams.body.attachments[0].content.body.slice(2)) assert.equal(shown(text), withoutZeroWidth(text.replaceAll(/\\([*_[\]`])/g, '$1')));
  });
});
