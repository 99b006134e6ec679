using System.Buffers.Binary;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>Which program's tables a sparse extent has.</summary>
internal enum VmdkSparseKind
{
    /// <summary>VMware's hosted products (<c>KDMV</c>).</summary>
    Hosted,

    /// <summary>ESXi's snapshots (<c>COWD</c>).</summary>
    Cowd,

    /// <summary>ESXi's snapshots on VMFS 6.</summary>
    SeSparse,
}

/// <summary>Where the tables of a sparse extent lie, and what they mean: what its header says, in bytes.</summary>
internal sealed record VmdkSparseLayout
{
    private const uint HostedMagic = 0x564d_444b; // "KDMV"
    private const uint CowdMagic = 0x4457_4f43; // "COWD"
    private const ulong SeSparseMagic = 0xcafe_babe;
    private const ulong SeSparseVolatileMagic = 0xcafe_cafe;
    private const int HeaderLength = 512;
    /// <summary>What the header of a stream says of a directory that lies at its end.</summary>
    internal const ulong AtEnd = ulong.MaxValue;

    /// <summary>How far from the end of the file a footer is looked for.</summary>
    private const int FooterSearchLength = 128 * 1024;

    internal required VmdkSparseKind Kind { get; init; }

    /// <summary>Bytes of the extent.</summary>
    internal required long Capacity { get; init; }

    /// <summary>Unit of allocation, in bytes.</summary>
    internal required int GrainSize { get; init; }

    /// <summary>Entries of a grain table.</summary>
    internal required long TableEntries { get; init; }

    /// <summary>Where the grain directory lies.</summary>
    internal required long DirectoryOffset { get; init; }

    /// <summary>Where the grain tables of seSparse start.</summary>
    internal long TablesOffset { get; init; }

    /// <summary>Where the grains of seSparse start.</summary>
    internal long GrainsOffset { get; init; }

    /// <summary>Whether an entry of 1 stands for zeros.</summary>
    internal bool HasZeroedGrains { get; init; }

    /// <summary>Whether grains are compressed.</summary>
    internal bool IsCompressed { get; init; }

    /// <summary>Whether each compressed grain has its place and length in front.</summary>
    internal bool HasGrainHeaders { get; init; }

    /// <summary>Where the descriptor lies in the file, and how long it is; 0 for none.</summary>
    internal long DescriptorOffset { get; init; }

    /// <inheritdoc cref="DescriptorOffset"/>
    internal long DescriptorLength { get; init; }

    /// <summary>What is damaged without being in the way; null if nothing is.</summary>
    internal string? Problem { get; init; }

    internal long DirectoryEntries => DivideUp(DivideUp(Capacity, GrainSize), TableEntries);

    /// <summary>Bytes of an entry of directory and tables.</summary>
    internal int EntryLength => Kind == VmdkSparseKind.SeSparse ? sizeof(ulong) : sizeof(uint);

    /// <summary>Which kind of sparse extent begins so; null for none.</summary>
    internal static VmdkSparseKind? KindOf(ReadOnlySpan<byte> start)
        => start.Length < sizeof(ulong) ? null
            : BinaryPrimitives.ReadUInt32LittleEndian(start) == HostedMagic ? VmdkSparseKind.Hosted
            : BinaryPrimitives.ReadUInt32LittleEndian(start) == CowdMagic ? VmdkSparseKind.Cowd
            : BinaryPrimitives.ReadUInt64LittleEndian(start) == SeSparseMagic ? VmdkSparseKind.SeSparse : null;

    /// <summary>Reads the header of a sparse extent.</summary>
    /// <exception cref="Qcow2Exception">The header is not possible, or of a kind that is not known.</exception>
    internal static VmdkSparseLayout Load(BlockStorage file)
    {
        byte[] header = new byte[HeaderLength];
        file.ReadZeroPadded(0, header);
        VmdkSparseLayout layout = KindOf(header) switch
        {
            VmdkSparseKind.Hosted => ReadHosted(file, header),
            VmdkSparseKind.Cowd => ReadCowd(header),
            VmdkSparseKind.SeSparse => ReadSeSparse(file, header),
            _ => throw Qcow2Errors.Corrupt("The file does not begin as a sparse extent of a VMDK disk does."),
        };
        long entries = layout.DirectoryEntries;
        if (entries > VmdkLimits.MaxDirectoryEntries)
        {
            throw Qcow2Errors.Limit("The number of entries of the VMDK extent's grain directory", (ulong)entries, VmdkLimits.MaxDirectoryEntries);
        }

        long length = entries * layout.EntryLength;
        return layout.DirectoryOffset > file.Length - length
            ? throw Qcow2Errors.PastEnd("The VMDK extent's grain directory", (ulong)layout.DirectoryOffset, (ulong)length, file.Length)
            : layout;
    }

    private static VmdkSparseLayout ReadHosted(BlockStorage file, ReadOnlySpan<byte> header)
    {
        const uint NewlineTest = 1;
        const uint RedundantDirectory = 2;
        const uint ZeroedGrains = 4;
        const uint Compressed = 0x1_0000;
        const uint Markers = 0x2_0000;
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(header.Slice(4));
        uint flags = BinaryPrimitives.ReadUInt32LittleEndian(header.Slice(8));
        if (version is < 1 or > 3)
        {
            throw Qcow2Errors.Unsupported($"The VMDK extent has version {version}; 1 to 3 are known.");
        }

        uint unknown = flags & 0xffff_0000 & ~(Compressed | Markers);
        if (unknown != 0)
        {
            throw Qcow2Errors.Unsupported($"The VMDK extent has the flags 0x{unknown:x8}, which this version does not know and must know.");
        }

        if ((flags & NewlineTest) != 0 && !header.Slice(73, 4).SequenceEqual("\n \r\n"u8))
        {
            throw Qcow2Errors.Corrupt("Ends of lines were changed in the VMDK file: it was copied as a text. Copy it again, as it is.");
        }

        int compression = BinaryPrimitives.ReadUInt16LittleEndian(header.Slice(77));
        bool isCompressed = (flags & Compressed) != 0;
        if (isCompressed && compression != 1)
        {
            throw Qcow2Errors.Unsupported($"The VMDK extent is compressed in the way {compression}; 1 (deflate) is known.");
        }

        ulong directory = BinaryPrimitives.ReadUInt64LittleEndian(header.Slice(56));
        string? problem = header[72] != 0 ? "The VMDK extent was not closed: what was written last may be missing." : null;
        if (directory == AtEnd)
        {
            directory = ReadFooter(file);
        }
        else if ((flags & RedundantDirectory) != 0 && !IsSectorIn(file, directory))
        {
            problem = $"The VMDK extent's grain directory is said to lie in sector {directory}, past the end of the file; its copy counts.";
            directory = BinaryPrimitives.ReadUInt64LittleEndian(header.Slice(48));
        }

        uint tableEntries = BinaryPrimitives.ReadUInt32LittleEndian(header.Slice(44));
        if (tableEntries is 0 or > VmdkLimits.MaxTableEntries)
        {
            throw Qcow2Errors.Limit("The number of entries of the VMDK extent's grain tables", tableEntries, VmdkLimits.MaxTableEntries);
        }

        return new VmdkSparseLayout
        {
            Kind = VmdkSparseKind.Hosted,
            Capacity = Bytes(BinaryPrimitives.ReadUInt64LittleEndian(header.Slice(12)), "capacity"),
            GrainSize = Grain(BinaryPrimitives.ReadUInt64LittleEndian(header.Slice(20))),
            TableEntries = tableEntries,
            DirectoryOffset = Bytes(directory, "grain directory"),
            HasZeroedGrains = (flags & ZeroedGrains) != 0,
            IsCompressed = isCompressed,
            HasGrainHeaders = (flags & Markers) != 0,
            DescriptorOffset = Bytes(BinaryPrimitives.ReadUInt64LittleEndian(header.Slice(28)), "descriptor"),
            DescriptorLength = Bytes(BinaryPrimitives.ReadUInt64LittleEndian(header.Slice(36)), "descriptor's length"),
            Problem = problem,
        };
    }

    /// <summary>Where the directory lies by the copy of the header at the end of a stream, which may not be quite the end.</summary>
    private static ulong ReadFooter(BlockStorage file) => FindFooter(file) is long position
        ? DirectoryIn(file, position)
        : throw Qcow2Errors.Corrupt(
            "The VMDK file is a stream whose directory lies at its end, and no footer that leads to it is there: the file was cut off, as by a download that did not end.");

    private static ulong DirectoryIn(BlockStorage file, long footer)
    {
        byte[] sector = new byte[HeaderLength];
        file.ReadZeroPadded(footer, sector);
        return BinaryPrimitives.ReadUInt64LittleEndian(sector.AsSpan(56));
    }

    /// <summary>Where the copy of the header at the end of a stream lies; null if there is none.</summary>
    internal static long? FindFooter(BlockStorage file)
    {
        long last = Math.Max(HeaderLength, ((file.Length / HeaderLength) - 1) * HeaderLength);
        byte[] sector = new byte[HeaderLength];
        for (long position = last; position >= Math.Max(HeaderLength, last - FooterSearchLength); position -= HeaderLength)
        {
            file.ReadZeroPadded(position, sector);
            if (BinaryPrimitives.ReadUInt32LittleEndian(sector) == HostedMagic && BinaryPrimitives.ReadUInt64LittleEndian(sector.AsSpan(56)) is not AtEnd)
            {
                return position;
            }
        }

        return null;
    }

    private static VmdkSparseLayout ReadCowd(ReadOnlySpan<byte> header)
    {
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(header.Slice(4));
        return version != 1
            ? throw Qcow2Errors.Unsupported($"The VMDK extent (COWD) has version {version}; 1 is known.")
            : new VmdkSparseLayout
            {
                Kind = VmdkSparseKind.Cowd,
                Capacity = Bytes(BinaryPrimitives.ReadUInt32LittleEndian(header.Slice(12)), "capacity"),
                GrainSize = Grain(BinaryPrimitives.ReadUInt32LittleEndian(header.Slice(16))),
                TableEntries = 4096,
                DirectoryOffset = Bytes(BinaryPrimitives.ReadUInt32LittleEndian(header.Slice(20)), "grain directory"),
            };
    }

    private static VmdkSparseLayout ReadSeSparse(BlockStorage file, ReadOnlySpan<byte> header)
    {
        ulong version = Field(header, 1);
        if (version != 0x2_0000_0001)
        {
            throw Qcow2Errors.Unsupported($"The VMDK extent (seSparse) has version 0x{version:x}; 0x200000001 is known.");
        }

        if (Field(header, 4) != 64)
        {
            throw Qcow2Errors.Unsupported($"The VMDK extent (seSparse) has grain tables of {Field(header, 4)} sectors; 64 are known.");
        }

        byte[] state = new byte[HeaderLength];
        file.ReadZeroPadded(Bytes(Field(header, 10), "volatile header"), state);
        if (BinaryPrimitives.ReadUInt64LittleEndian(state) != SeSparseVolatileMagic)
        {
            throw Qcow2Errors.Corrupt($"The VMDK extent (seSparse) has no volatile header in sector {Field(header, 10)}.");
        }

        if (state[24] != 0)
        {
            throw Qcow2Errors.Unsupported("The VMDK extent (seSparse) has a journal that is to be replayed, which only ESXi can do: start the machine there, or have ESXi clone the disk.");
        }

        return new VmdkSparseLayout
        {
            Kind = VmdkSparseKind.SeSparse,
            Capacity = Bytes(Field(header, 2), "capacity"),
            GrainSize = Grain(Field(header, 3)),
            TableEntries = 64 * VmdkLimits.SectorSize / sizeof(ulong),
            DirectoryOffset = Bytes(Field(header, 16), "grain directory"),
            TablesOffset = Bytes(Field(header, 18), "grain tables"),
            GrainsOffset = Bytes(Field(header, 24), "grains"),
        };
    }

    private static ulong Field(ReadOnlySpan<byte> header, int index) => BinaryPrimitives.ReadUInt64LittleEndian(header.Slice(index * sizeof(ulong)));

    private static bool IsSectorIn(BlockStorage file, ulong sector) => sector < (ulong)file.Length / VmdkLimits.SectorSize;

    private static long Bytes(ulong sectors, string name)
        => sectors <= VmdkLimits.MaxSectors ? (long)sectors * VmdkLimits.SectorSize : throw Qcow2Errors.Limit($"The VMDK extent's {name}", sectors, VmdkLimits.MaxSectors, "sectors");

    private static int Grain(ulong sectors)
        => sectors is > 0 and <= (ulong)VmdkLimits.MaxGrainSectors && (sectors & (sectors - 1)) == 0
            ? (int)sectors * VmdkLimits.SectorSize
            : throw Qcow2Errors.Corrupt($"The VMDK extent has grains of {sectors} sectors; they have 1 to {VmdkLimits.MaxGrainSectors}, in a power of two.");

    private static long DivideUp(long value, long unit) => (value / unit) + (value % unit != 0 ? 1 : 0);
}
