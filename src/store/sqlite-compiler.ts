import { type LimitNode, SqliteQueryCompiler, ValueNode } from 'kysely'
import { isConstant } from './store.ts'

/**
 * Compiles queries so that SQLite plans each of them once. It plans a statement anew at every run in which a bound value
 * could matter to the plan: a LIMIT, and a comparison that the condition of a partial index repeats. Planning costs ten
 * times what running does, so a constant is written out, and a bound LIMIT is a sum, which SQLite does not look into.
 */
export class LastingPlans extends SqliteQueryCompiler {
  protected override appendValue(value: unknown): void {
    if (isConstant(value)) this.appendImmediateValue(value)
    else super.appendValue(value)
  }
  protected override visitLimit(node: LimitNode): void {
    const { limit } = node
    this.append('limit ')
    if (ValueNode.is(limit) && typeof limit.value === 'number') {
      this.appendImmediateValue(limit.value)
      return
    }
    this.visitNode(limit)
    this.append(' + 0')
  }
}
