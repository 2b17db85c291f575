import type { MessageType } from './content.ts'

// One working example a type; Swagger UI offers them and the tests send each of them to the sandbox.
const to = '14155551234'
const channel = 'demo-cloud'
export const messageExamples: Record<MessageType, Record<string, unknown>> = {
  text: { channel, to, type: 'text', text: { body: 'Your parcel arrives today between 2 and 4 pm.' } },
  image: { channel, to, type: 'image', image: { link: 'https://example.com/parcel.jpg', caption: 'Your parcel' } },
  video: { channel, to, type: 'video', video: { link: 'https://example.com/unboxing.mp4' } },
  document: {
    channel,
    to,
    type: 'document',
    document: { link: 'https://example.com/invoice.pdf', filename: 'invoice-12345.pdf', caption: 'Your invoice' }
  },
  audio: { channel, to, type: 'audio', audio: { link: 'https://example.com/note.ogg' } },
  sticker: { channel, to, type: 'sticker', sticker: { link: 'https://example.com/wave.webp' } },
  location: {
    channel,
    to,
    type: 'location',
    location: { latitude: 37.7749, longitude: -122.4194, name: 'Pick-up point', address: '1 Market St, San Francisco' }
  },
  contacts: {
    channel,
    to,
    type: 'contacts',
    contacts: [
      {
        name: { formatted: 'Ada Lovelace', first: 'Ada', last: 'Lovelace' },
        phones: [{ phone: '+14155550100', type: 'WORK' }]
      }
    ]
  },
  buttons: {
    channel,
    to,
    type: 'buttons',
    buttons: {
      body: 'Your order is ready. What next?',
      footer: 'Reply within 24 hours',
      buttons: [
        { id: 'track', title: 'Track it' },
        { id: 'help', title: 'Get help' }
      ]
    }
  },
  list: {
    channel,
    to,
    type: 'list',
    list: {
      header: 'Delivery',
      body: 'When may we come?',
      button: 'Choose a slot',
      sections: [
        {
          title: 'Tomorrow',
          rows: [
            { id: 'am', title: 'Morning', description: '8 to 12' },
            { id: 'pm', title: 'Afternoon', description: '12 to 18' }
          ]
        }
      ]
    }
  },
  reaction: {
    channel,
    to,
    type: 'reaction',
    reaction: { messageId: 'wamid.HBgLMTQxNTU1NTEyMzQVAgARGBI', emoji: '👍' }
  },
  template: {
    channel,
    to,
    type: 'template',
    template: { name: 'order_update', language: 'en_US', variables: { name: 'Ada', ordernumber: '12345' } }
  }
}
