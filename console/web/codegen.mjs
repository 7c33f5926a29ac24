// Makes src/gql/: a typed document for every operation in src/**/*.graphql, checked against the server's schema. What does not fit
// the schema ends the build here; what no longer fits its types ends it in the type check.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { preset } from '@graphql-codegen/client-preset';
import { codegen } from '@graphql-codegen/core';
import { buildASTSchema, concatAST, parse, printError, Source, validate } from 'graphql';

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
