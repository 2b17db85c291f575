import t from 'tap'
import { judgeFileSystem, mountType } from '../../src/store/file-systems.ts'

const fuse = 0x65735546

t.test('each file system is refused, warned of or taken, as it can lock', async t => {
  const verdicts: [name: string, magic: number, type: string | undefined, verdict: string | undefined][] = [
    ['ext4', 0xef53, 'ext4', undefined],
    ['XFS', 0x58465342, 'xfs', undefined],
    ['btrfs', 0x9123683e, 'btrfs', undefined],
    ['overlayfs', 0x794c7630, 'overlay', undefined],
    ['tmpfs', 0x01021994, 'tmpfs', undefined],
    ['ZFS', 0x2fc12fc1, 'zfs', undefined],
    ['NFS', 0x6969, 'nfs4', 'refuse'],
    ['CIFS', 0xff534d42, 'cifs', 'refuse'],
    ['CIFS as a signed number', 0xff534d42 - 2 ** 32, 'cifs', 'refuse'],
    ['SMB2', 0xfe534d42, 'smb3', 'refuse'],
    ['9p', 0x01021997, '9p', 'refuse'],
    ['vboxsf', 0x786f4256, 'vboxsf', 'refuse'],
    ['GlusterFS', fuse, 'fuse.glusterfs', 'refuse'],
    ['an object store', fuse, 'fuse.s3fs', 'refuse'],
    ['an object store', fuse, 'fuse.gcsfuse', 'refuse'],
    ['a network file system', fuse, 'fuse.sshfs', 'refuse'],
    ['CephFS', 0x00c36400, 'ceph', 'warn'],
    ['CephFS', fuse, 'fuse.ceph', 'warn'],
    ['Lustre', 0x0bd00bd0, 'lustre', 'warn'],
    ['virtiofs', fuse, 'virtiofs', 'warn'],
    ['FUSE (fuse.mergerfs)', fuse, 'fuse.mergerfs', 'warn'],
    ['FUSE', fuse, undefined, 'warn']
  ]
  for (const [name, magic, type, verdict] of verdicts) {
    const judged = judgeFileSystem(magic, type)
    t.equal(judged?.verdict, verdict, name)
    if (judged) t.match(name, judged.name, 'by its name')
  }
})

t.test('the type is that of the mount that a path lies on', async t => {
  const mountinfo = [
    '22 1 0:20 / / rw,relatime shared:1 - overlay overlay rw',
    '30 22 0:31 / /data rw - ext4 /dev/sda1 rw',
    '31 30 0:32 / /data/a\\040b rw,nosuid master:5 - fuse.s3fs s3fs rw',
    '32 22 0:33 / /mnt rw - ext4 /dev/sdb rw',
    '33 22 0:34 / /mnt rw - virtiofs share rw',
    ''
  ].join('\n')
  t.equal(mountType(mountinfo, '/data'), 'ext4')
  t.equal(mountType(mountinfo, '/data/a b/deep'), 'fuse.s3fs', 'a space is written as \\040')
  t.equal(mountType(mountinfo, '/database'), 'overlay', 'a beginning is not a folder')
  t.equal(mountType(mountinfo, '/mnt/x'), 'virtiofs', 'the last of two on one point')
  t.equal(mountType('', '/data'), undefined)
  t.equal(mountType('nothing that could be read', '/data'), undefined)
})
