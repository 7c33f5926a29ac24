// Draws the embeds of a webhook's message with @skyra/discord-components-core; their markup is read by discord-markdown-parser.
import '@skyra/discord-components-core';
import { parse } from 'discord-markdown-parser';

const element = (name, properties = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'slot') node.slot = value;
    else node[key] = value;
  }
  node.append(...children);
  return node;
};
const draw = (nodes) =>
  nodes.map(({ type, content, target, name }) => {
    switch (type) {
      case 'text':
        return content;
      case 'twemoji':
        return name;
      case 'newline':
      case 'br':
        return document.createElement('br');
      case 'url':
        return element('discord-link', { href: target, target: '_blank' }, ...draw(content));
      case 'codeBlock':
        return element('discord-pre', {}, content);
    }
    throw new Error(`${type} is not drawn`);
  });
const markup = (text) => draw(parse(text, 'extended'));
const initials = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" fill="#5865f2"/><text x="20" y="27" font-family="sans-serif" font-size="18" fill="#fff" text-anchor="middle">RA</text></svg>')}`;

const embeds = globalThis.data.embeds.map(({ title, url, description, color, fields, footer, timestamp }) =>
  element('discord-embed', { slot: 'embeds', embedTitle: element('p', {}, ...markup(title)).textContent, url, color: `#${color.toString(16).padStart(6, '0')}` },
    element('discord-embed-description', { slot: 'description' }, ...markup(description)),
    element('discord-embed-fields', { slot: 'fields' },
      ...fields.map(({ name, value, inline }, i) => element('discord-embed-field', { fieldTitle: name, inline, inlineIndex: (i % 3) + 1 }, ...markup(value)))),
    element('discord-embed-footer', { slot: 'footer', timestamp: new Date(timestamp) }, footer.text)));
const message = element('discord-message', { author: 'Rustbucket Alerts', bot: true, avatar: initials, timestamp: new Date(globalThis.data.embeds[0].timestamp) }, ...embeds);
document.querySelector('#picture').append(element('discord-messages', {}, message));
const parts = ['discord-messages', 'discord-message', 'discord-embed', 'discord-embed-field', 'discord-embed-footer'];
Promise.all([...document.querySelectorAll(parts)].map((part) => part.updateComplete)).then(() => (globalThis.drawn = true));
