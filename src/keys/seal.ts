import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

export interface Seal {
  close: (text: string) => string
  /** Throws where the text was not closed with the same pepper. */
  open: (sealed: string) => string
}

/** Encrypts (AES-256-GCM) what must rest in the database but must not be read from a stolen one. */
export function createSeal(pepper: string): Seal {
  const key = Buffer.from(hkdfSync('sha256', pepper, '', 'switchboard seal 1', 32))
  return {
    close: text => {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64')
    },
    open: sealed => {
      const bytes = Buffer.from(sealed, 'base64')
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
      decipher.setAuthTag(bytes.subarray(12, 28))
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
    }
  }
}
