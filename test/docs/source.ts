/**
 * Reads declarations from src: what the documentation has to name. By TypeScript's own parser, types included, since
 * most of what the tables list exists at compile time only.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './markdown.js'

export interface Member {
  readonly name: string
  /** Of its docstring, if it has the tag. */
  readonly defaultTag: string | undefined
  readonly type: ts.TypeNode | undefined
}

/** @param path from src: `options/pool-options.ts` */
export function sourceOf(path: string): ts.SourceFile {
  const file = join(root, 'src', path)
  return ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true)
}

/** The properties that an interface declares itself, in order. Throws if there is no such interface. */
export function interfaceMembers(path: string, name: string): Member[] {
  return membersOf(find(path, name, ts.isInterfaceDeclaration).members)
}

export const interfaceNames = (path: string, name: string): string[] =>
  interfaceMembers(path, name).map((member) => member.name)

/** The properties of a type literal. */
export function literalMembers(type: ts.TypeNode | undefined): Member[] {
  if (type === undefined || !ts.isTypeLiteralNode(type)) throw new Error(`not a type literal: ${type?.getText()}`)
  return membersOf(type.members)
}

/** The properties of the one type literal that stands somewhere in a type: those of the entries of a list. */
export function namesIn(type: ts.Node | undefined): string[] {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isTypeLiteralNode(node)) found.push(...literalMembers(node).map(({ name }) => name))
    else node.forEachChild(visit)
  }
  if (type !== undefined) visit(type)
  return found
}

/** The strings of a type that is a union of string literals, wherever they stand in it. */
export function stringsOf(type: ts.Node | undefined): string[] {
  const strings: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal)) strings.push(node.literal.text)
    node.forEachChild(visit)
  }
  if (type !== undefined) visit(type)
  return strings
}

/** The strings of a declared union: `type KeepwiseErrorCode = 'A' | 'B'`. */
export const aliasStrings = (path: string, name: string): string[] =>
  stringsOf(find(path, name, ts.isTypeAliasDeclaration).type)

/** The keys of an object that a constant is declared with. */
export function constantKeys(path: string, name: string): string[] {
  const { initializer } = find(path, name, ts.isVariableDeclaration)
  if (initializer === undefined || !ts.isObjectLiteralExpression(initializer))
    throw new Error(`${name} in ${path} is not an object`)
  return initializer.properties.map((property) => (property.name as ts.PropertyName).getText())
}

/** The strings that a constant is declared with, wherever they stand in it. */
export function constantStrings(path: string, name: string): string[] {
  const strings: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node)) strings.push(node.text)
    node.forEachChild(visit)
  }
  visit(find(path, name, ts.isVariableDeclaration).initializer as ts.Expression)
  return strings
}

/** The constants of a file that are numbers, products of numbers included: `const MEMORY = 24 * 60 * 60 * 1_000`. */
export function numbersOf(path: string): Record<string, number> {
  const numbers: Record<string, number> = {}
  for (const statement of sourceOf(path).statements)
    if (ts.isVariableStatement(statement))
      for (const { name, initializer } of statement.declarationList.declarations) {
        const value = numberOf(initializer)
        if (value !== undefined) numbers[name.getText()] = value
      }
  return numbers
}

function numberOf(node: ts.Expression | undefined): number | undefined {
  if (node === undefined) return undefined
  if (ts.isNumericLiteral(node)) return Number(node.text)
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.AsteriskToken) return undefined
  const [left, right] = [numberOf(node.left), numberOf(node.right)]
  return left === undefined || right === undefined ? undefined : left * right
}

/** An object of string lists that a constant is declared with. */
export function constantLists(path: string, name: string): Record<string, string[]> {
  const { initializer } = find(path, name, ts.isVariableDeclaration)
  if (initializer === undefined || !ts.isObjectLiteralExpression(initializer))
    throw new Error(`${name} in ${path} is not an object`)
  const lists = initializer.properties.map((property) => {
    if (!ts.isPropertyAssignment(property) || !ts.isArrayLiteralExpression(property.initializer))
      throw new Error(`${name} in ${path} has ${property.getText()}, which is no list`)
    const items = property.initializer.elements.map((element) => (element as ts.StringLiteral).text)
    return [property.name.getText(), items] as const
  })
  return Object.fromEntries(lists)
}

/** The public fields that a class declares itself, constructor parameters included. */
export function classFields(path: string, name: string): string[] {
  const fields: string[] = []
  for (const member of find(path, name, ts.isClassDeclaration).members) {
    if (ts.isConstructorDeclaration(member)) {
      for (const parameter of member.parameters)
        if (ts.isParameterPropertyDeclaration(parameter, member)) fields.push(parameter.name.getText())
    } else if (ts.isPropertyDeclaration(member) && !ts.isPrivateIdentifier(member.name))
      fields.push(member.name.getText())
  }
  return fields
}

type Named = ts.Node & { readonly name?: ts.Node }

function find<T extends Named>(path: string, name: string, is: (node: ts.Node) => node is T): T {
  let found: T | undefined
  const visit = (node: ts.Node): void => {
    if (is(node) && node.name?.getText() === name) found ??= node
    node.forEachChild(visit)
  }
  visit(sourceOf(path))
  if (found === undefined) throw new Error(`src/${path} declares no ${name}`)
  return found
}

function membersOf(members: ts.NodeArray<ts.TypeElement>): Member[] {
  return members.filter(ts.isPropertySignature).map((member) => ({
    name: member.name.getText(),
    type: member.type,
    defaultTag: ts
      .getJSDocTags(member)
      .filter((tag) => tag.tagName.text === 'default')
      .map((tag) => ts.getTextOfJSDocComment(tag.comment)?.trim())[0],
  }))
}
