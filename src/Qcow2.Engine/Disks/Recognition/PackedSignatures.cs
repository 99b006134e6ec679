using static Qcow2.Engine.FileNature;

namespace Qcow2.Engine.Disks.Recognition;

/// <summary>What a disk may be packed in.</summary>
internal static class PackedSignatures
{
    internal static IReadOnlyList<FileSignature> All { get; } =
    [
        Packed("gzip", ".gz", "gunzip", c => c.Has(0, [0x1f, 0x8b, 8]) && (c.At(3) & 0xe0) == 0),
        Packed("xz", ".xz", "unxz", c => c.Has(0, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])),
        Packed("zstd", ".zst", "unzstd", c => c.Has(0, [0x28, 0xb5, 0x2f, 0xfd]) || (c.U32(0) & 0xfffffff0) == 0x184d2a50),
        Packed("bzip2", ".bz2", "bunzip2", IsBzip2),
        Foreign("lz4", "unlz4", c => c.U32(0) is 0x184d2204 or 0x184c2102),
        Foreign("lzip", "lzip -d", c => c.Has(0, "LZIP\x01"u8)),
        Foreign("lzop", "lzop -d", c => c.Has(0, [0x89, 0x4c, 0x5a, 0x4f, 0, 0x0d, 0x0a, 0x1a, 0x0a])),
        Foreign("lzma", "unlzma", IsLzma),
        Foreign("compress", "uncompress", c => c.Has(0, [0x1f, 0x9d]) && (c.At(2) & 0x60) == 0 && (c.At(2) & 0x1f) is >= 9 and <= 16),
        Archived("zip", "a ZIP archive", c => c.Has(0, [0x50, 0x4b, 3, 4]) || c.Has(0, [0x50, 0x4b, 5, 6]) || c.Has(0, [0x50, 0x4b, 7, 8])),
        Archived("7z", "a 7-Zip archive", c => c.Has(0, [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c])),
        Archived("rar", "a RAR archive", c => c.Has(0, [0x52, 0x61, 0x72, 0x21, 0x1a, 7])),
        Archived("tar", "a tar archive (an OVA is one, too; its name ends in .ova)", IsTar),
        Archived("cab", "a cabinet archive (CAB)", c => c.Has(0, [0x4d, 0x53, 0x43, 0x46, 0, 0, 0, 0])),
        Archived("ar", "an ar archive (a Debian package is one, too)", c => c.Has(0, "!<arch>\n"u8)),
        Archived("cpio", "a cpio archive", c => c.Has(0, "070701"u8) || c.Has(0, "070702"u8) || c.Has(0, "070707"u8)),
        new("vma", Archive, "a backup of Proxmox VE (VMA)", "Extract the disk from it first, with vma extract.", c => c.Has(0, [0x56, 0x4d, 0x41, 0, 0, 0, 0, 1])),
        Archived("rpm", "an RPM package", c => c.Has(0, [0xed, 0xab, 0xee, 0xdb])),
    ];

    /// <summary>What is read here, if its name says so, too.</summary>
    private static FileSignature Packed(string id, string extension, string tool, Func<FileContent, bool> matches)
        => new(id, Compressed, $"compressed with {id}", $"Decompress it first ({tool}, or 7-Zip); what only reads takes it as it is, if its name ends in {extension}.", matches);

    private static FileSignature Foreign(string id, string tool, Func<FileContent, bool> matches)
        => new(id, Compressed, $"compressed with {id}", $"Decompress it first ({tool}, or 7-Zip).", matches);

    private static FileSignature Archived(string id, string description, Func<FileContent, bool> matches)
        => new(id, Archive, description, "Extract the disk from it first (tar, or 7-Zip).", matches);

    /// <summary>The block size, then the mark of a block or that of the end.</summary>
    private static bool IsBzip2(FileContent c)
        => c.Has(0, "BZh"u8) && c.At(3) is >= (byte)'1' and <= (byte)'9'
            && (c.Has(4, [0x31, 0x41, 0x59, 0x26, 0x53, 0x59]) || c.Has(4, [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]));

    /// <summary>It has no magic number: the usual properties, a dictionary that is a power of two, and a size that is unknown or possible.</summary>
    private static bool IsLzma(FileContent c)
    {
        uint dictionary = c.U32(1);
        ulong size = c.U64(5);
        return c.Length > 13 && c.At(0) == 0x5d && dictionary >= 4096 && (dictionary & (dictionary - 1)) == 0 && c.At(13) == 0
            && (size == ulong.MaxValue || size is > 0 and < 1UL << 48);
    }

    /// <summary>The mark of POSIX and GNU, and a check sum that is right: octal, over the header with blanks in its place.</summary>
    private static bool IsTar(FileContent c)
    {
        if (!c.Has(257, "ustar"u8) || c.Head.Length < 512)
        {
            return false;
        }

        int stored = 0;
        foreach (byte digit in c.Head.Slice(148, 8))
        {
            stored = digit is >= (byte)'0' and <= (byte)'7' ? (stored * 8) + digit - '0' : stored;
        }

        int sum = 8 * ' ';
        for (int i = 0; i < 512; i++)
        {
            sum += i is >= 148 and < 156 ? 0 : c.Head[i];
        }

        return sum == stored;
    }
}
