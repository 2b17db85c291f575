// Where a database file may lie (docs/reliability.md T55, 7.3). SQLite relies on locks and on memory that processes share through a
// file; a file system that only pretends to have them corrupts the database without a word.

/** `refuse`: locks or shared memory are not to be trusted. `warn`: they are, but only as this machine sees them, or if so set up. */
export type Verdict = 'refuse' | 'warn'

interface FileSystem {
  name: string
  verdict: Verdict
}
const refused = (name: string): FileSystem => ({ name, verdict: 'refuse' })
const warned = (name: string): FileSystem => ({ name, verdict: 'warn' })

/** By the magic numbers of statfs(2) and of the kernel's linux/magic.h. */
const byMagic = new Map<number, FileSystem>([
  [0x6969, refused('NFS')],
  [0x517b, refused('SMB')],
  [0xff534d42, refused('CIFS')],
  [0xfe534d42, refused('SMB2')],
  // Locks stay in this machine's view of it, and its cache may be another's (WSL's /mnt, virtual machines, gVisor).
  [0x01021997, refused('9p')],
  [0x786f4256, refused('vboxsf')],
  [0xbacbacbc, refused('a shared folder of VMware')],
  [0x7c7c6673, refused('a shared folder of Parallels')],
  [0x5346414f, refused('AFS')],
  [0x6b414653, refused('AFS')],
  [0x73757245, refused('Coda')],
  [0x20030528, refused('OrangeFS')],
  [0x19830326, refused('BeeGFS')],
  // POSIX locks hold on every machine, or on this one, which is enough where it is the only one.
  [0x00c36400, warned('CephFS')],
  [0x0bd00bd0, warned('Lustre')],
  [0x47504653, warned('GPFS')],
  [0x7461636f, warned('OCFS2')],
  [0x01161970, warned('GFS2')]
])

const fuse = 0x65735546
/** By the type in /proc/self/mountinfo: all that run in user space have one number, virtiofs among them. */
const byType: readonly [RegExp, FileSystem][] = [
  [/^virtiofs$/, warned('virtiofs')],
  [/^fuse\.(glusterfs|gluster)/, refused('GlusterFS')],
  [
    /^fuse\.(s3fs|gcsfuse|goofys|mount-?s3|mountpoint-s3|rclone|blobfuse2?|juicefs|ossfs|cosfs)/,
    refused('an object store')
  ],
  [/^fuse\.(sshfs|curlftpfs|davfs2?|smbnetfs|ltfs|grpcfuse|osxfs)/, refused('a network file system')],
  [/^fuse\.(ceph|cephfs|ceph-fuse)/, warned('CephFS')]
]

/**
 * What to do about a DATA_DIR on a file system.
 * @param magic the number that statfs tells
 * @param type the word of /proc/self/mountinfo for it, where that could be read
 * @returns undefined for one of a local disk
 */
export function judgeFileSystem(magic: number, type?: string): FileSystem | undefined {
  const number = magic >>> 0
  if (number !== fuse) return byMagic.get(number)
  const known = byType.find(([pattern]) => type !== undefined && pattern.test(type))
  return known?.[1] ?? warned(type ? `FUSE (${type})` : 'FUSE')
}

/**
 * The type of the file system that a path lies on, out of /proc/self/mountinfo: the mount with the longest point that
 * the path is under, the last of those.
 * @param path absolute and real
 */
export function mountType(mountinfo: string, path: string): string | undefined {
  let found: { point: string; type: string } | undefined
  for (const line of mountinfo.split('\n')) {
    const [before = '', after] = line.split(' - ')
    const point = before
      .split(' ')[4]
      ?.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
    const type = after?.split(' ')[0]
    if (point === undefined || type === undefined) continue
    const under = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`)
    if (under && (!found || point.length >= found.point.length)) found = { point, type }
  }
  return found?.type
}
