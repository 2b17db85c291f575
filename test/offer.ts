/** A message of marketing that the sandbox knows: what may not reach those who said stop to it. */
export const offer = {
  type: 'template',
  text: undefined,
  template: {
    name: 'discount_code',
    language: 'en_US',
    variables: { '1': 'Ada' },
    buttons: [{ type: 'copy_code', index: 0, value: 'SUMMER20' }]
  }
}
