// Draws data.card by the Adaptive Cards library. The colours and sizes are those of Teams.
import * as AC from 'adaptivecards';
import MarkdownIt from 'markdown-it';

const { card: json, dark } = globalThis.data;
const palette = dark
  ? { text: '#ffffff', subtle: '#adadad', card: '#292929', good: '#92c353', warning: '#fde300', attention: '#f9526b',
      goodBack: '#1c2e14', warningBack: '#3d3206', attentionBack: '#3e1f25', accent: '#7f85f5', line: '#3d3d3d' }
  : { text: '#242424', subtle: '#616161', card: '#ffffff', good: '#237b4b', warning: '#835c00', attention: '#c4314b',
      goodBack: '#e7f2da', warningBack: '#fbf6d9', attentionBack: '#fcf4f6', accent: '#5b5fc7', line: '#e0e0e0' };
const color = (value) => ({ default: value, subtle: value });
const foregroundColors = {
  default: { default: palette.text, subtle: palette.subtle },
  good: color(palette.good),
  warning: color(palette.warning),
  attention: color(palette.attention),
  accent: color(palette.accent),
};
const style = (backgroundColor) => ({ backgroundColor, foregroundColors });

AC.AdaptiveCard.onProcessMarkdown = (text, result) => {
  result.outputHtml = new MarkdownIt().render(text);
  result.didProcess = true;
};
const card = new AC.AdaptiveCard();
card.hostConfig = new AC.HostConfig({
  fontFamily: "'Segoe UI', system-ui, 'DejaVu Sans', sans-serif",
  fontSizes: { small: 12, default: 14, medium: 14, large: 18, extraLarge: 24 },
  lineHeights: { small: 16, default: 20, medium: 20, large: 24, extraLarge: 32 },
  fontWeights: { lighter: 200, default: 400, bolder: 600 },
  spacing: { small: 8, default: 12, medium: 20, large: 30, extraLarge: 40, padding: 16 },
  actions: { actionAlignment: 'left', buttonSpacing: 8, spacing: 'default' },
  factSet: { title: { weight: 'bolder', wrap: false }, value: { wrap: true }, spacing: 16 },
  containerStyles: {
    default: style(palette.card),
    good: style(palette.goodBack),
    warning: style(palette.warningBack),
    attention: style(palette.attentionBack),
  },
});
card.parse(json);
const drawn = card.render();
drawn.style.cssText += `;border:1px solid ${palette.line};border-radius:4px;overflow:hidden`;
const css = document.createElement('style');
css.textContent = `
  #picture p { margin: 0 0 4px } #picture p:last-child { margin: 0 }
  .ac-pushButton { font: 600 14px 'Segoe UI', system-ui, 'DejaVu Sans', sans-serif; padding: 5px 12px; border-radius: 4px;
    border: 1px solid ${palette.line}; background: ${palette.card}; color: ${palette.text} }`;
document.head.append(css);
document.querySelector('#picture').append(drawn);
globalThis.drawn = true;
