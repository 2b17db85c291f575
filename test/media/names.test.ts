import t from 'tap'
import { fittingName, linkName } from '../../src/media/names.ts'

t.test('a name gets the ending of what the file is', t => {
  const table = [
    ['invoice.php', 'application/pdf', 'invoice.pdf'],
    ['invoice.PDF', 'application/pdf', 'invoice.PDF'],
    ['invoice', 'application/pdf', 'invoice.pdf'],
    ['report.docx', 'application/pdf', 'report.pdf'],
    ['Report v1.2', 'application/pdf', 'Report v1.2.pdf'],
    ['Mr.Smith', 'application/pdf', 'Mr.Smith.pdf'],
    ['list.csv', 'text/csv', 'list.csv'],
    ['list.csv', 'text/plain', 'list.csv'],
    ['notes.md', 'text/plain', 'notes.md'],
    ['notes.php', 'text/plain', 'notes.txt'],
    ['notes.pdf', 'text/plain', 'notes.txt'],
    ['photo.jpeg', 'image/jpeg', 'photo.jpeg'],
    ['photo.png', 'image/jpeg', 'photo.jpg'],
    ['.php', 'application/pdf', 'php.pdf'],
    ['a.xyz', 'application/x-unknown', 'a.xyz']
  ] as const
  for (const [name, type, expected] of table) t.equal(fittingName(name, type), expected, `${name} ${type}`)
  t.ok(fittingName('x'.repeat(100), 'application/pdf').length <= 100)
  t.match(fittingName('x'.repeat(100), 'application/pdf'), /x\.pdf$/)
  t.end()
})

t.test('a link has a name', t => {
  const table = [
    ['https://h.example/a/Rechnung%20M%C3%A4rz.pdf?x=1#y', 'Rechnung März.pdf'],
    ['https://h.example/invoice.php?id=7', 'invoice'],
    ['https://h.example/', 'document'],
    ['https://h.example', 'document'],
    ['https://h.example/a%2F..%2Fb.pdf', 'b.pdf'],
    ['https://h.example/%E0%A4%A.pdf', '%E0%A4%A.pdf'],
    ['https://h.example/a%0d%0a.pdf', 'a.pdf']
  ] as const
  for (const [link, expected] of table) t.equal(linkName(link, 'document'), expected, link)
  t.end()
})
