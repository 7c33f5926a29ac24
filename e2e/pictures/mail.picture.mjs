import pictures from './mail.mjs';

export default (t, browser) => pictures({ browser });
