#!/usr/bin/env python3
"""Makes what lies in this folder: the sectors of file systems that say what they are, and what blkid says of each.

Needs root and Debian's e2fsprogs, xfsprogs, btrfs-progs, ntfs-3g, dosfstools, exfatprogs, genisoimage, util-linux, lvm2, cryptsetup-bin, f2fs-tools,
squashfs-tools and erofs-utils. NAME.gz is the size of the volume (8 bytes, little endian) and then, for each sector kept, its offset and its 512 bytes.
volumes.tsv has a row for each volume: name, how it was made, blkid's exit code and its words (TYPE, VERSION, LABEL, UUID), and the size that the file system has, where a tool or the command says that.
tables.tsv has a row for each disk with a partition table: name, how it was made, the sector size; NAME.json is what sfdisk says of it, none where sfdisk sees no table. It
needs fdisk and gdisk, too. A name as an argument makes that one alone, and leaves the .tsv files as they are.
"""
import gzip
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
UUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
KIB, MIB = 1 << 10, 1 << 20
VOLUMES = []


def volume(name, size, *commands, craft=None, made="", fs_size=None):
    VOLUMES.append((name, size, commands, craft, made, fs_size))


def put(file, offset, data):
    file.seek(offset)
    file.write(data)


volume("ext2", 2 * MIB, f"mkfs.ext2 -q -L boot -U {UUID}", fs_size=2 * MIB)
volume("ext3", 4 * MIB, f"mkfs.ext3 -q -L three -U {UUID}", fs_size=4 * MIB)
volume("ext4", 16 * MIB, f"mkfs.ext4 -q -b 4096 -L root -U {UUID}", fs_size=16 * MIB)
volume("ext4-1k", 8 * MIB, f"mkfs.ext4 -q -b 1024 -L sixteen-letters- -U {UUID}", fs_size=8 * MIB)
volume("ext4-no-journal", 4 * MIB, f"mkfs.ext4 -q -O ^has_journal,^metadata_csum -U {UUID}", fs_size=4 * MIB)
volume("ext4-hostile-label", 4 * MIB, f"mkfs.ext4 -q -L $'a\\e[31mb\\tc' -U {UUID}", fs_size=4 * MIB)
volume("jbd", 8 * MIB, f"mke2fs -q -O journal_dev -b 4096 -L log -U {UUID}", fs_size=8 * MIB)
volume("xfs", 320 * MIB, f"mkfs.xfs -q -L data -m uuid={UUID}", fs_size=320 * MIB)
volume("xfs-v4", 320 * MIB, f"mkfs.xfs -q -L old -m crc=0,uuid={UUID}", fs_size=320 * MIB)
volume("btrfs", 128 * MIB, f"mkfs.btrfs -q -L 'bütter' -U {UUID}", fs_size=128 * MIB)
volume("ntfs", 4 * MIB, "mkfs.ntfs -q -F -f -L 'Systempartition Ä'")
volume("ntfs-64k", 64 * MIB, "mkfs.ntfs -q -F -f -c 65536 -L big")
volume("fat12", 1 * MIB, "mkfs.vfat -F 12 -n TWELVE -i 1a2b3c4d", fs_size=1 * MIB)
volume("fat16", 16 * MIB, "mkfs.vfat -F 16 -n SIXTEEN -i 1a2b3c4d", fs_size=16 * MIB)
volume("fat32", 64 * MIB, "mkfs.vfat -F 32 -n 'EFI SYSTEM' -i 00010002", fs_size=64 * MIB)
volume("fat32-no-label", 64 * MIB, "mkfs.vfat -F 32 -i 1a2b3c4d", fs_size=64 * MIB)
volume("fat32-4k", 512 * MIB, "mkfs.vfat -F 32 -S 4096 -n FOURK -i 1a2b3c4d", fs_size=512 * MIB)
volume("exfat", 16 * MIB, "mkfs.exfat -L 'Größe 11'", fs_size=16 * MIB)
volume("iso9660", 0, "genisoimage -quiet -V A_NAME_WITH_MORE_THAN_16_LETTERS -o {} {}.d")
volume("iso9660-joliet", 0, "genisoimage -quiet -J -V lower_case_and_long_20 -o {} {}.d")
volume("iso9660-udf", 0, "genisoimage -quiet -udf -V DVD -o {} {}.d")
volume("swap", 1 * MIB, f"mkswap -q -L pages -U {UUID}", fs_size=1 * MIB)
volume("swap-64k", 4 * MIB, f"mkswap -q -p 65536 -L large -U {UUID}", fs_size=4 * MIB)
volume("lvm", 20 * MIB, f"pvcreate -q -u 3BEAHH-YVbf-4sbq-2IDe-XDzK-lUop-73xrX5 --norestorefile", fs_size=20 * MIB)
volume("luks1", 4 * MIB, f"cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 --uuid {UUID} {{}} {{}}.d/key")
volume("luks2", 32 * MIB, f"cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --label vault --uuid {UUID} {{}} {{}}.d/key")
volume("f2fs", 64 * MIB, f"mkfs.f2fs -q -l flash-ü -U {UUID}")
volume("squashfs", 0, "mksquashfs {}.d {} -quiet -no-progress -mkfs-time 0 -all-time 0 -noappend -no-xattrs")
volume("erofs", 0, f"mkfs.erofs --quiet -T0 -U {UUID} {{}} {{}}.d")


def bitlocker(file):
    put(file, 0, b"\xeb\x58\x90-FVE-FS-\x00\x02\x08\x00\x00")
    put(file, 176, struct.pack("<QQQ", 64 * KIB, 96 * KIB, 128 * KIB))
    put(file, 510, b"\x55\xaa")
    put(file, 64 * KIB, b"-FVE-FS-" + struct.pack("<HH", 4, 2))


def bitlocker_to_go(file):
    put(file, 0, b"\xeb\x58\x90MSWIN4.1\x00\x02\x08\x22\x00\x02\x00\x00\x00\x00\xf8")
    put(file, 424, bytes.fromhex("3bd66749292ed84a8399f6a339e3d001") + struct.pack("<QQQ", 64 * KIB, 96 * KIB, 128 * KIB))
    put(file, 510, b"\x55\xaa")
    put(file, 64 * KIB, b"-FVE-FS-" + struct.pack("<HH", 4, 2))


def refs(file):
    put(file, 0, b"\x00\x00\x00ReFS\x00\x00\x00\x00FSRS\x00\x02")
    put(file, 24, struct.pack("<QIIBB", 131072, 512, 8, 3, 4))
    put(file, 56, struct.pack("<Q", 0x8A1C3F5E00112233))


def apfs(file):
    put(file, 0, struct.pack("<QQQII", 0x1234, 1, 5, 0x80000001, 0))
    put(file, 32, b"NXSB" + struct.pack("<IQ", 4096, 16384))
    put(file, 72, bytes.fromhex(UUID.replace("-", "")))


def hfsplus(file):
    put(file, 1024, b"H+\x00\x04" + bytes(36) + struct.pack(">II", 4096, 16384))


def hibernated(file):
    put(file, 1024, struct.pack("<III", 1, 255, 0) + bytes.fromhex(UUID.replace("-", "")))
    put(file, 4086, b"S1SUSPEND\x00")


def nvpair(name, kind, value):
    data = name + bytes(-len(name) % 4)
    body = struct.pack(">I", len(name)) + data + struct.pack(">II", kind, 1) + value
    return struct.pack(">II", len(body) + 8, len(body) + 24) + body


def zfs(file):
    text = b"tank"
    pairs = (nvpair(b"version", 8, struct.pack(">Q", 5000)) + nvpair(b"name", 9, struct.pack(">I", len(text)) + text) + nvpair(b"state", 8, struct.pack(">Q", 0))
             + nvpair(b"pool_guid", 8, struct.pack(">Q", 11111111122222222223)) + nvpair(b"guid", 8, struct.pack(">Q", 33333333344444)))
    label = bytearray(256 * KIB)
    label[16 * KIB:16 * KIB + 12] = b"\x01\x01\x00\x00" + struct.pack(">II", 0, 1)
    label[16 * KIB + 12:16 * KIB + 12 + len(pairs)] = pairs
    for i in range(8):
        struct.pack_into("<QQQQQ", label, 128 * KIB + i * KIB, 0x00BAB10C, 5000, i, 1, 1600000000)
    size = os.fstat(file.fileno()).st_size
    for offset in (0, 256 * KIB, size - 512 * KIB, size - 256 * KIB):
        put(file, offset, bytes(label))


def md090(file):
    size = os.fstat(file.fileno()).st_size
    u = struct.unpack(">4I", bytes.fromhex(UUID.replace("-", "")))
    put(file, (size & ~0xFFFF) - 0x10000, struct.pack("<16I", 0xA92B4EFC, 0, 90, 0, 0, u[0], 0, 1, (size - 0x10000) >> 10, 1, 2, 0, 0, u[1], u[2], u[3]))


def md1(offset):
    def craft(file):
        size = os.fstat(file.fileno()).st_size
        at = (size & ~0xFFF) - 0x2000 if offset is None else offset
        block = bytearray(256)
        struct.pack_into("<IIII", block, 0, 0xA92B4EFC, 1, 0, 0)
        block[16:32] = bytes.fromhex(UUID.replace("-", ""))
        block[32:39] = b"host:md"
        struct.pack_into("<QQQ", block, 128, 2048, (size >> 9) - 4096, at >> 9)
        put(file, at, bytes(block))
    return craft


volume("bitlocker", 1 * MIB, craft=bitlocker, made="The boot sector that Windows writes, by hand")
volume("bitlocker-to-go", 2 * MIB, craft=bitlocker_to_go, made="The boot sector that Windows writes on removable disks, by hand")
volume("refs", 64 * MIB, craft=refs, made="The boot sector of version 3.4, by hand", fs_size=64 * MIB)
volume("apfs", 64 * MIB, craft=apfs, made="A container's superblock, by hand", fs_size=64 * MIB)
volume("hfsplus", 64 * MIB, craft=hfsplus, made="A volume header, by hand", fs_size=64 * MIB)
volume("hibernated", 1 * MIB, craft=hibernated, made="mkswap and the mark of a machine that sleeps, by hand", fs_size=1 * MIB)
volume("zfs", 64 * MIB, craft=zfs, made="Four labels with eight uberblocks each, by hand")
volume("md-0.90", 4 * MIB, craft=md090, made="The superblock, by hand", fs_size=4 * MIB - 64 * KIB)
volume("md-1.0", 4 * MIB, craft=md1(None), made="The superblock, by hand", fs_size=2 * MIB)
volume("md-1.1", 4 * MIB, craft=md1(0), made="The superblock, by hand", fs_size=2 * MIB)
volume("md-1.2", 4 * MIB, craft=md1(4096), made="The superblock, by hand", fs_size=2 * MIB)
volume("md-1.2-over-ext4", 4 * MIB, f"mkfs.ext4 -q -U {UUID}", craft=md1(4096), made="and a superblock of md by hand, as when an array was made of an old volume", fs_size=2 * MIB)
volume("ext4-and-squashfs", 4 * MIB, f"mkfs.ext4 -q -b 4096 -U {UUID}", craft=lambda file: put(file, 0, b"hsqs" + bytes(24) + struct.pack("<HH", 4, 0)), made="and the mark of SquashFS before it: nobody can tell")
volume("zeros", 1 * MIB, craft=lambda file: None, made="truncate")


def extras(data):
    """Where a label lies that is far from the beginning."""
    u16, u32, u64 = (lambda at, kind=kind, size=size: struct.unpack(kind, data(at, size))[0] for kind, size in (("<H", 2), ("<I", 4), ("<Q", 8)))
    if data(3, 8) == b"NTFS    ":
        sectors = data(13, 1)[0]
        cluster = u16(11) * (sectors if sectors < 128 else 1 << (256 - sectors))
        record = data(64, 1)[0]
        yield u64(48) * cluster, 4 * (1 << (256 - record) if record > 128 else cluster * record)
    elif data(3, 8) == b"EXFAT   ":
        shift, cluster = data(108, 1)[0], data(109, 1)[0]
        yield (u32(88) << shift) + ((u32(96) - 2) << (shift + cluster)), 1024
        yield u32(80) << shift, 512
    elif data(38913, 5) == b"BEA01" or data(36865, 5) == b"BEA01":
        yield 64 * KIB, 64 * KIB
        yield 512 * KIB, 2 * KIB
    elif data(82, 5) == b"FAT32":
        yield (u16(14) + u32(36) * data(16, 1)[0]) * u16(11), 512
    elif data(54, 3) == b"FAT":
        yield (u16(14) + u16(22) * data(16, 1)[0]) * u16(11), 512


def keep(file, size):
    def data(at, count):
        file.seek(at)
        return file.read(count)

    ranges = [(0, 72 * KIB), (128 * KIB, 16 * KIB), (size - 256 * KIB, 256 * KIB), *extras(data)]
    if data(0, 4) == b"LUKS":
        ranges = [(0, 512)]  # The rest is keys and noise.
    kept = {}
    for start, length in ranges:
        for at in range(max(0, start) & -512, min(size, start + length), 512):
            sector = data(at, 512)
            if any(sector):
                kept[at] = sector.ljust(512, b"\0")
    return struct.pack("<Q", size) + b"".join(struct.pack("<Q", at) + kept[at] for at in sorted(kept))


TABLES = []

# sfdisk goes round a circle sixty times, and does not take a table of another size of the disk, which is shown here, for somebody may want to save what it lists.
UNLIKE_SFDISK = ("mbr-loop", "gpt-cut", "gpt-grown-and-zeroed")
DISK = "d1a2b3c4-0000-4000-8000-00000000000"


def table(name, size, script, *commands, sector=512, craft=None, made=""):
    TABLES.append((name, size, script, commands, sector, craft, made))


def gpt(sector=512, first=2048):
    unit = MIB // sector
    return (f"label: gpt\nlabel-id: {DISK}0\nfirst-lba: {first}\n"
            f"1: start={unit}, size={unit}, type=21686148-6449-6E6F-744E-656564454649, uuid={DISK}1, attrs=LegacyBIOSBootable\n"
            f'2: start={2 * unit}, size={8 * unit}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid={DISK}2, name="EFI System Partition", attrs="RequiredPartition GUID:63"\n'
            f'3: start={20 * unit}, size={4 * unit}, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid={DISK}3, name="Basic data partition", attrs="GUID:60,62,63"\n'
            f'5: start={10 * unit}, size={6 * unit}, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid={DISK}5, name="rööt 日本"\n'
            f"9: start={30 * unit}, size={unit}, type=12345678-1234-1234-1234-123456789012, uuid={DISK}9\n")


def mbr(sector=512):
    unit = MIB // sector
    return (f"label: dos\nlabel-id: 0x1a2b3c4d\n"
            f"1: start={unit}, size={4 * unit}, type=7, bootable\n"
            f"2: start={8 * unit}, size={16 * unit}, type=f\n"
            f"4: start={5 * unit}, size={2 * unit}, type=1c\n"
            f"5: start={9 * unit}, size={unit}, type=83\n"
            f"6: start={16 * unit}, size={2 * unit}, type=82\n"
            f"7: start={12 * unit}, size={3 * unit}, type=8e\n")


def zero(*ranges):
    def craft(file):
        size = os.fstat(file.fileno()).st_size
        for start, length in ranges:
            put(file, start if start >= 0 else size + start, bytes(length))
    return craft


def change(at):
    def craft(file):
        file.seek(at)
        byte = file.read(1)[0]
        put(file, at, bytes([byte ^ 0x20]))
    return craft


def swap_in(at):
    def craft(file):
        put(file, at + 1024, struct.pack("<II", 1, 255))
        put(file, at + 4086, b"SWAPSPACE2")
    return craft


table("gpt", 32 * MIB, gpt())
table("gpt-4k", 32 * MIB, gpt(4096, 256), sector=4096)
table("gpt-256-entries", 32 * MIB, gpt().replace("first-lba: 2048", "table-length: 256\nfirst-lba: 2048"))
table("gpt-primary-damaged", 32 * MIB, gpt(), craft=change(512 + 40), made="and one bit of the header at the beginning changed")
table("gpt-primary-zeroed", 32 * MIB, gpt(), craft=zero((512, 33 * 512)), made="and the table at the beginning filled with zeros")
table("gpt-entries-damaged", 32 * MIB, gpt(), craft=change(1024 + 56), made="and a letter of a name changed")
table("gpt-backup-zeroed", 32 * MIB, gpt(), craft=zero((-33 * 512, 33 * 512)), made="and the table at the end filled with zeros")
table("gpt-both-zeroed", 32 * MIB, gpt(), craft=zero((512, 33 * 512), (-33 * 512, 33 * 512)), made="and both tables filled with zeros")
table("gpt-grown", 32 * MIB, gpt(), "truncate -s 48M {}")
table("gpt-grown-and-zeroed", 32 * MIB, gpt(), "truncate -s 48M {}", craft=zero((512, 33 * 512)), made="and the table at the beginning filled with zeros")
table("gpt-cut", 32 * MIB, gpt(), "truncate -s 22M {}")
table("gpt-hybrid", 32 * MIB, gpt(), "sgdisk -h 3:5 {}")
table("gpt-under-mbr", 32 * MIB, gpt(), craft=lambda file: put(file, 446, b"\x80\0\0\0\x83\0\0\0" + struct.pack("<II", 2048, 2048) + bytes(48)), made="and an MBR of its own in place of the protective one")
table("mbr", 32 * MIB, mbr())
table("mbr-4k", 32 * MIB, mbr(4096), sector=4096, craft=swap_in(16 * MIB), made="and the mark of swap space in partition 6")
table("mbr-loop", 32 * MIB, mbr(), craft=lambda file: put(file, 16 * MIB - MIB + 446 + 16, b"\0\0\0\0\x05\0\0\0" + struct.pack("<II", 0, 4096)), made="and the second record of the chain leads to the first")
table("mbr-empty", 4 * MIB, "label: dos\nlabel-id: 0x1a2b3c4d\n")


def keep_all(file, size):
    kept = b""
    for at in range(0, size, MIB):
        file.seek(at)
        piece = file.read(MIB)
        if any(piece):
            for sector in range(0, len(piece), 512):
                if any(piece[sector:sector + 512]):
                    kept += struct.pack("<Q", at + sector) + piece[sector:sector + 512].ljust(512, b"\0")
    return struct.pack("<Q", size) + kept


def run_sfdisk(sector, path, *options, script=None):
    """On a loop device where sectors are larger, for sfdisk asks the host how large they are."""
    device = path if sector == 512 else subprocess.check_output(["losetup", "-b", str(sector), "-f", "--show", path], text=True).strip()
    try:
        said = subprocess.run(["sfdisk", *options, device], input=script, capture_output=True, text=True, check=script is not None)
        said.stdout = said.stdout.replace(device + "p", "disk").replace(device, "disk")
        return said
    finally:
        if device != path:
            subprocess.run(["losetup", "-d", device], check=True)


def make_tables():
    rows = []
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "disk")
        for name, size, script, commands, sector, craft, made in TABLES:
            if sys.argv[1:] not in ([], [name]):
                continue
            with open(path, "wb") as file:
                file.truncate(size)
            run_sfdisk(sector, path, "-q", "--no-reread", "--no-tell-kernel", script=script)
            for command in commands:
                subprocess.run(["bash", "-c", command.replace("{}", path)], check=True, stdout=subprocess.DEVNULL)
            with open(path, "r+b") as file:
                if craft:
                    craft(file)
                kept = keep_all(file, os.path.getsize(path))
            with open(os.path.join(HERE, name + ".gz"), "wb") as out:
                out.write(gzip.compress(kept, 9, mtime=0))
            said = run_sfdisk(sector, path, "--json")
            if said.returncode == 0 and name not in UNLIKE_SFDISK:
                with open(os.path.join(HERE, name + ".json"), "w") as out:
                    out.write(said.stdout)
            how = "; ".join(part for part in (f"sfdisk, sectors of {sector} bytes", *(command.replace("{}", "disk") for command in commands), made) if part)
            rows.append("\t".join([name, how, str(sector)]))
            print(rows[-1], said.returncode, said.stderr.strip())
    if not sys.argv[1:]:
        with open(os.path.join(HERE, "tables.tsv"), "w") as out:
            out.write("\t".join(["name", "made with", "sector size"]) + "\n" + "\n".join(rows) + "\n")


def main():
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for name, size, commands, craft, made, fs_size in VOLUMES:
            if sys.argv[1:] not in ([], [name]):
                continue
            path = os.path.join(work, "volume")
            os.makedirs(path + ".d", exist_ok=True)
            with open(path + ".d/key", "w") as key:
                key.write("passphrase")
            os.utime(path + ".d/key", (0, 0))
            if os.path.exists(path):
                os.unlink(path)
            if size:
                with open(path, "wb") as file:
                    file.truncate(size)
            for command in commands:
                full = command.replace("{}", path) if "{}" in command else f"{command} {path}"
                if command.startswith("pvcreate"):
                    device = subprocess.check_output(["losetup", "-f", "--show", path], text=True).strip()
                    full = f"{command} {device}; losetup -d {device}"
                subprocess.run(["bash", "-c", full], check=True, env={**os.environ, "LC_ALL": "C.UTF-8"}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            with open(path, "r+b") as file:
                if craft:
                    craft(file)
            size = os.path.getsize(path)
            asked = subprocess.run(["blkid", "-p", "-o", "udev", path], capture_output=True, text=True)
            said = dict(line.split("=", 1) for line in asked.stdout.splitlines() if "=" in line)
            with open(path, "rb") as file, open(os.path.join(HERE, name + ".gz"), "wb") as out:
                out.write(gzip.compress(keep(file, size), 9, mtime=0))
            words = [said.get("ID_FS_" + word, "") for word in ("TYPE", "VERSION", "LABEL_ENC", "UUID_ENC")]
            how = "; ".join(part for part in (*(command.replace("{}", "volume") for command in commands), made) if part)
            rows.append("\t".join([name, how.replace("\t", " "), str(asked.returncode), *words, str(fs_size or "")]))
            print(rows[-1])
    if not sys.argv[1:]:
        with open(os.path.join(HERE, "volumes.tsv"), "w") as out:
            out.write("\t".join(["name", "made with", "exit code", "type", "version", "label", "uuid", "size"]) + "\n" + "\n".join(rows) + "\n")


make_tables()
main()
