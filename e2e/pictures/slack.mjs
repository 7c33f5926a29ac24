// Draws the blocks of a webhook's message with slack-blocks-to-jsx, beside the bar that Slack draws in an attachment's colour.
import { createElement as h } from 'react';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import { Message } from 'slack-blocks-to-jsx';
import css from 'slack-blocks-to-jsx/dist/style.css';

const colors = { danger: '#a30200', warning: '#daa038', good: '#2eb67d' }; // Slack's names for them
const { text, attachments } = globalThis.data;
const logo = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><rect width="36" height="36" rx="4" fill="#4a154b"/><text x="18" y="24" font-family="sans-serif" font-size="16" fill="#fff" text-anchor="middle">RA</text></svg>')}`;
document.head.append(Object.assign(document.createElement('style'), { textContent: css }));
const sheet = h('div', { style: { fontFamily: "Lato, 'DejaVu Sans', sans-serif" } },
  h(Message, { theme: 'light', name: 'Rustbucket Alerts', logo, blocks: [{ type: 'section', text: { type: 'mrkdwn', text } }] }),
  attachments.map(({ color, blocks }, i) =>
    h('div', { key: i, style: { margin: '4px 0 0 44px', paddingLeft: 12, borderLeft: `4px solid ${colors[color] ?? color}`, borderRadius: 2 } },
      h(Message, { theme: 'light', withoutWrapper: true, name: '', logo: '', blocks }))));
flushSync(() => createRoot(document.querySelector('#picture')).render(sheet));
globalThis.drawn = true;
