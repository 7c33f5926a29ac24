// Makes src/gql/: a typed document for every operation in src/**/*.graphql, checked against the server's schema. What does not fit
// the schema ends the build here; what no longer fits its types ends it in the type check.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { preset } from '@graphql-codegen/client-preset';
import { codegen } from '@graphql-codegen/core';
import { buildASTSchema, concatAST, isEnumType, parse, printError, Source, validate } from 'graphql';

const here = import.meta.dirname;
const out = join(here, 'src/gql/');
const read = (path) => parse(new Source(readFileSync(path, 'utf8'), relative(here, path)));
const below = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.graphql'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

const schema = read(join(here, '../../schema.graphqls'));
const schemaAst = buildASTSchema(schema);
const documents = below(join(here, 'src')).map((location) => ({ location, rawSDL: readFileSync(location, 'utf8'), document: read(location) }));

// The settings of a channel of any type, made from the schema: the page knows no type. The fields have the name of their type before
// them, because fields of one name differ between the types.
const settings = schemaAst.getType('ChannelConfig').getTypes().map((type) => {
  const fields = Object.keys(type.getFields()).map((name) => `${type.name}_${name}: ${name}`);
  return `  ... on ${type.name} {\n    ${fields.join('\n    ')}\n  }`;
});
const rawSDL = `fragment ChannelSettings on ChannelConfig {\n  __typename\n${settings.join('\n')}\n}\n`;
documents.push({ location: 'made from ChannelConfig', rawSDL, document: parse(rawSDL) });

const wrong = validate(schemaAst, concatAST(documents.map(({ document }) => document)));
if (wrong.length > 0) {
  console.error(wrong.map(printError).join('\n\n'));
  process.exit(1);
}

const config = {
  documentMode: 'string',
  enumsAsTypes: true,
  useTypeImports: true,
  defaultScalarType: 'unknown',
  strictScalars: true,
  skipTypename: true,
  avoidOptionals: { field: true },
  pureMagicComment: true,
  scalars: { Time: 'string', JSON: 'Record<string, unknown>', StringMap: 'Record<string, string>' },
};
const files = await preset.buildGeneratesSection({
  baseOutputDir: out,
  schema,
  schemaAst,
  documents,
  config,
  presetConfig: { fragmentMasking: false },
  plugins: [],
  pluginMap: {},
  pluginContext: {},
});
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
for (const file of files.filter(({ filename }) => filename.endsWith('/graphql.ts'))) {
  writeFileSync(file.filename, await codegen(file));
}

// The values of the enums, for lists to choose from.
const enums = Object.values(schemaAst.getTypeMap()).filter((type) => isEnumType(type) && !type.name.startsWith('__'));
const lists = enums.map((type) => `export const ${type.name}Values = ${JSON.stringify(type.getValues().map(({ name }) => name))} as const;\n`);
writeFileSync(join(out, 'enums.ts'), lists.join(''));
