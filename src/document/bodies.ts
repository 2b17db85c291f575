// Bodies that are no JSON: the routes read them as streams, and so have no schema of them.

/** A file, and the channel that it is for. */
export const uploadBody = {
  required: true,
  content: {
    'multipart/form-data': {
      schema: {
        type: 'object',
        required: ['file'],
        additionalProperties: false,
        properties: {
          channel: {
            type: 'string',
            description: 'Which channel it is for; stands before the file.',
            examples: ['demo-cloud']
          },
          file: { type: 'string', format: 'binary', description: 'At most 100 MB; less for most kinds.' }
        }
      },
      example: { channel: 'demo-cloud', file: '' }
    }
  }
}

/** The other form of a broadcast's body: the same members as text, and a table in place of the recipients. */
export const broadcastForm = {
  schema: {
    type: 'object',
    required: ['name', 'template', 'file'],
    additionalProperties: false,
    properties: {
      channel: { type: 'string', examples: ['demo-cloud'] },
      name: { type: 'string', examples: ['Orders of May'] },
      template: { type: 'string', description: 'As JSON.', examples: ['{"name":"order_update","language":"en_US"}'] },
      startAt: { type: 'string', format: 'date-time', description: 'Not before this instant. Left out: at once.' },
      ratePerSecond: {
        type: 'integer',
        minimum: 1,
        maximum: 1000,
        description: 'Left out: as fast as the channel may.'
      },
      charset: {
        type: 'string',
        description: 'The encoding of a CSV that is neither UTF-8 nor marked, e.g. windows-1252 for Latin-1.'
      },
      file: {
        type: 'string',
        format: 'binary',
        description: 'CSV or .xlsx, at most 32 MiB and 100,000 rows; the last part.'
      }
    }
  },
  // Whole, so that nothing is invented for what it leaves out.
  example: {
    channel: 'demo-cloud',
    name: 'Orders of May',
    template: '{"name":"order_update","language":"en_US"}',
    file: ''
  }
}

/** A table as the whole body. */
export const tableBody = {
  required: true,
  content: {
    'text/csv': {
      schema: { type: 'string', examples: ['phone,name,city\r\n14155551234,Ada Lovelace,London\r\n'] }
    },
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': {
      schema: { type: 'string', format: 'binary' }
    }
  }
}
