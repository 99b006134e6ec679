using System.Buffers.Binary;
using Qcow2.Engine.Codecs;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>One of the two headers ([MS-VHDX] 2.2.2): which log and which data are current.</summary>
/// <param name="Sequence">The valid header with the higher number is the current one.</param>
/// <param name="FileWriteGuid">New whenever the file is opened for writing.</param>
/// <param name="DataWriteGuid">New whenever the disk changes; a differencing disk names its parent's.</param>
/// <param name="LogGuid">Which entries of the log count; empty if there is nothing to replay.</param>
/// <param name="LogOffset">Where the log lies, in bytes.</param>
/// <param name="LogLength">Length of the log, in bytes.</param>
internal sealed record VhdxHeader(ulong Sequence, Guid FileWriteGuid, Guid DataWriteGuid, Guid LogGuid, long LogOffset, long LogLength)
{
    internal const int Length = 4096;

    private const uint Signature = 0x6461_6568; // "head"
    private const int CheckSumOffset = 4;
    private const int Version = 1;

    /// <summary>Whether the log holds what the file does not hold yet.</summary>
    internal bool HasLog => LogGuid != Guid.Empty;

    /// <summary>Reads the current header of a file.</summary>
    /// <param name="storage">The file.</param>
    /// <param name="problems">Told what is wrong without being in the way.</param>
    /// <exception cref="Qcow2Exception">Neither header is valid, or it cannot be told which counts.</exception>
    internal static VhdxHeader Load(BlockStorage storage, ICollection<string> problems)
    {
        byte[] first = Read(storage, VhdxLimits.FirstHeaderOffset);
        byte[] second = Read(storage, VhdxLimits.SecondHeaderOffset);
        string? firstProblem = ProblemOf(first);
        string? secondProblem = ProblemOf(second);
        if (firstProblem is not null && secondProblem is not null)
        {
            throw Qcow2Errors.Corrupt(
                $"Neither header of the VHDX file is valid: the one at 0x{VhdxLimits.FirstHeaderOffset:x} {firstProblem}, the one at 0x{VhdxLimits.SecondHeaderOffset:x} {secondProblem}.");
        }

        if (firstProblem is not null || secondProblem is not null)
        {
            long place = firstProblem is null ? VhdxLimits.SecondHeaderOffset : VhdxLimits.FirstHeaderOffset;
            problems.Add($"The header at 0x{place:x} {firstProblem ?? secondProblem}; the other one counts.");
            return Parse(firstProblem is null ? first : second);
        }

        VhdxHeader one = Parse(first);
        VhdxHeader other = Parse(second);
        return one.Sequence == other.Sequence && !first.AsSpan().SequenceEqual(second)
            ? throw Qcow2Errors.Corrupt($"Both headers of the VHDX file have the sequence number {one.Sequence}, and they differ: nobody knows which counts.")
            : one.Sequence >= other.Sequence ? one : other;
    }

    /// <summary>The bytes of a header that says this, with the check sum that they have.</summary>
    internal byte[] ToBytes()
    {
        byte[] bytes = new byte[Length];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Signature);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), Sequence);
        LittleEndian.WriteGuid(bytes.AsSpan(16), FileWriteGuid);
        LittleEndian.WriteGuid(bytes.AsSpan(32), DataWriteGuid);
        LittleEndian.WriteGuid(bytes.AsSpan(48), LogGuid);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(66), Version);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(68), (uint)LogLength);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(72), (ulong)LogOffset);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(CheckSumOffset), Crc32C.OfAllBut(bytes, CheckSumOffset));
        return bytes;
    }

    /// <summary>The bytes of a header.</summary>
    internal static byte[] Read(BlockStorage storage, long offset)
    {
        byte[] bytes = new byte[Length];
        storage.ReadZeroPadded(offset, bytes);
        return bytes;
    }

    /// <summary>What is wrong with a header, as the end of a sentence; null if nothing is.</summary>
    internal static string? ProblemOf(ReadOnlySpan<byte> bytes)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Signature)
        {
            return "has no signature";
        }

        uint stored = BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(CheckSumOffset));
        uint computed = Crc32C.OfAllBut(bytes, CheckSumOffset);
        if (stored != computed)
        {
            return $"has the check sum 0x{stored:x8}, and its bytes have 0x{computed:x8}";
        }

        int version = BinaryPrimitives.ReadUInt16LittleEndian(bytes.Slice(66));
        return version == Version ? null : $"has version {version}, where {Version} is known";
    }

    /// <summary>Gives the bytes of a valid header their meaning.</summary>
    /// <exception cref="Qcow2Exception">Its log is of a kind that is not known.</exception>
    internal static VhdxHeader Parse(ReadOnlySpan<byte> bytes)
    {
        var header = new VhdxHeader(
            BinaryPrimitives.ReadUInt64LittleEndian(bytes.Slice(8)),
            LittleEndian.ReadGuid(bytes.Slice(16)),
            LittleEndian.ReadGuid(bytes.Slice(32)),
            LittleEndian.ReadGuid(bytes.Slice(48)),
            (long)Math.Min(long.MaxValue, BinaryPrimitives.ReadUInt64LittleEndian(bytes.Slice(72))),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(68)));
        int logVersion = BinaryPrimitives.ReadUInt16LittleEndian(bytes.Slice(64));
        return header.HasLog && logVersion != 0
            ? throw Qcow2Errors.Unsupported($"The log of the VHDX file has version {logVersion}; 0 is known.")
            : header;
    }
}
