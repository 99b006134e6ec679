using System.Text;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>Everything in a VHDX file but the disk's data, as it is once the log is replayed.</summary>
internal sealed class VhdxFile
{
    private const int SignatureLength = 8;
    private const int CreatorLength = 512;

    private VhdxFile(BlockStorage storage, VhdxHeader header, VhdxRegions regions, VhdxMetadata metadata, VhdxBlockTable blocks, string creator, IReadOnlyList<string> problems)
    {
        Storage = storage;
        Header = header;
        Regions = regions;
        Metadata = metadata;
        Blocks = blocks;
        Creator = creator;
        Problems = problems;
    }

    /// <summary>The file, with what its log holds.</summary>
    internal BlockStorage Storage { get; }

    /// <summary>The current header.</summary>
    internal VhdxHeader Header { get; }

    internal VhdxRegions Regions { get; }

    internal VhdxMetadata Metadata { get; }

    internal VhdxBlockTable Blocks { get; }

    /// <summary>What made the file, in its own words, which nothing vouches for.</summary>
    internal string Creator { get; }

    /// <summary>What is damaged without being in the way, a sentence each.</summary>
    internal IReadOnlyList<string> Problems { get; }

    /// <summary>Whether a file begins as a VHDX file does.</summary>
    internal static bool HasSignature(ReadOnlySpan<byte> start) => start.Length >= SignatureLength && start.Slice(0, SignatureLength).SequenceEqual("vhdxfile"u8);

    /// <summary>Reads a file, and in memory replays its log.</summary>
    /// <exception cref="Qcow2Exception">It is no VHDX file, or is damaged.</exception>
    internal static VhdxFile Load(BlockStorage file)
    {
        byte[] start = new byte[SignatureLength + CreatorLength];
        file.ReadZeroPadded(0, start);
        if (!HasSignature(start))
        {
            throw Qcow2Errors.Corrupt("The file does not begin with 'vhdxfile': it is no VHDX file.");
        }

        var problems = new List<string>();
        VhdxHeader header = VhdxHeader.Load(file, problems);
        BlockStorage storage = header.HasLog ? VhdxLog.Replay(file, header) : file;
        VhdxRegion? log = header.LogLength > 0 && header.LogOffset <= storage.Length ? new VhdxRegion("the log", header.LogOffset, header.LogLength) : null;
        VhdxRegions regions = VhdxRegions.Load(storage, log, problems);
        VhdxMetadata metadata = VhdxMetadata.Load(storage, regions.Metadata);
        var reserved = new List<VhdxRegion> { new("the headers", 0, VhdxLimits.HeaderSectionLength), regions.BlockTable, regions.Metadata };
        if (log is not null)
        {
            reserved.Add(log.Value);
        }

        var blocks = new VhdxBlockTable(storage, regions.BlockTable, metadata, reserved);
        return new VhdxFile(storage, header, regions, metadata, blocks, CreatorIn(start.AsSpan(SignatureLength)), problems);
    }

    private static string CreatorIn(ReadOnlySpan<byte> bytes)
    {
        string text = Encoding.Unicode.GetString(bytes.ToArray());
        int end = text.IndexOf('\0');
        return end < 0 ? text : text.Substring(0, end);
    }
}
