// What a channel is set to, as a form has it. No type is known here: all that differs between them is told by channelTypes.
import type { ChannelConfigInput, ChannelSettingsFragment, ChannelTypesQuery } from '../gql/graphql.ts';

export type TypeInfo = ChannelTypesQuery['channelTypes'][number];
export type FieldInfo = TypeInfo['fields'][number];

// TEXT and LONG_TEXT are a text, LIST a list, MAP a list of names with their values: in the order of whoever types them.
export type Value = string | string[] | [string, string][];
export type Values = Record<string, Value>;

// The settings of a saved channel by the names of its fields, secrets masked.
export function settingsOf(config: ChannelSettingsFragment): Record<string, unknown> {
  const before = `${config.__typename}_`;
  return Object.fromEntries(Object.entries(config).flatMap(([name, value]) => (name.startsWith(before) ? [[name.slice(before.length), value]] : [])));
}

export function valuesOf(type: TypeInfo, settings: Record<string, unknown> = {}): Values {
  return Object.fromEntries(type.fields.map(({ name, kind }) => [name, valueOf(kind, settings[name])]));
}

function valueOf(kind: FieldInfo['kind'], set: unknown): Value {
  switch (kind) {
    case 'LIST':
      return Array.isArray(set) && set.length > 0 ? (set as string[]) : [''];
    case 'MAP':
      return Object.entries((set ?? {}) as Record<string, string>).sort(([a], [b]) => (a < b ? -1 : 1));
    default:
      return typeof set === 'string' ? set : '';
  }
}

export const filled = (list: string[]) => list.map((text) => text.trim()).filter(Boolean);

// The config to send. What is empty is left out where it may be; where it may not, the server says so.
export function configOf(type: TypeInfo, values: Values): ChannelConfigInput {
  const config: Record<string, unknown> = {};
  for (const { name, kind, required } of type.fields) {
    const value = values[name];
    if (kind === 'LIST') {
      const list = filled(value as string[]);
      if (list.length > 0 || required) config[name] = list;
    } else if (kind === 'MAP') {
      const pairs = (value as [string, string][]).filter(([key, text]) => key.trim() || text);
      if (pairs.length > 0 || required) config[name] = Object.fromEntries(pairs.map(([key, text]) => [key.trim(), text]));
    } else {
      const text = kind === 'TEXT' ? (value as string).trim() : (value as string);
      if (text.trim() || required) config[name] = text;
    }
  }
  return { [inputName(type)]: config } as unknown as ChannelConfigInput;
}

// The field of ChannelConfigInput that is this type's.
export const inputName = (type: TypeInfo) => type.type.toLowerCase();

// A name that stands twice in a MAP: an object would lose one of them.
export function namedTwice(type: TypeInfo, values: Values): { field: string; name: string } | undefined {
  for (const { name: field, kind } of type.fields) {
    if (kind !== 'MAP') continue;
    const names = (values[field] as [string, string][]).map(([name]) => name.trim().toLowerCase()).filter(Boolean);
    const name = names.find((one, index) => names.indexOf(one) !== index);
    if (name !== undefined) return { field, name };
  }
  return undefined;
}
