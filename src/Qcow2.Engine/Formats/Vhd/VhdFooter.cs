using System.Buffers.Binary;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>The footer at the end of every VHD, of which dynamic and differencing ones have a copy at their start (spec: "Hard Disk Footer Format").</summary>
internal sealed record VhdFooter
{
    internal const int Length = 512;

    /// <summary>Old versions of Virtual PC left out the last byte, which is reserved.</summary>
    internal const int ShortLength = 511;

    internal const int ChecksumPosition = 64;

    /// <summary>The data offset of a disk that has no other header.</summary>
    internal const ulong NoDataOffset = ulong.MaxValue;

    private const uint KnownVersion = 1;

    private static readonly DateTime Epoch = new(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    internal static ReadOnlySpan<byte> Cookie => "conectix"u8;

    /// <summary>Bit 1 is always set; bit 0 marks a disk that may be deleted on shutdown.</summary>
    internal uint Features { get; init; }

    /// <summary>Version of the format, as 16 bits each of major and minor.</summary>
    internal uint FormatVersion { get; init; }

    /// <summary>Where the dynamic disk header lies; <see cref="NoDataOffset"/> of a fixed disk.</summary>
    internal ulong DataOffset { get; init; }

    /// <summary>When the disk was made, in seconds since the start of 2000, UTC. A child may hold it to know its parent by.</summary>
    internal uint TimeStamp { get; init; }

    /// <summary>Who made it, as four characters.</summary>
    internal uint CreatorApplication { get; init; }

    /// <summary>Version of who made it, as 16 bits each of major and minor.</summary>
    internal uint CreatorVersion { get; init; }

    /// <summary>Where it was made: <c>Wi2k</c> or <c>Mac </c>.</summary>
    internal uint CreatorHostOs { get; init; }

    /// <summary>Size of the disk when it was made, in bytes.</summary>
    internal ulong OriginalSize { get; init; }

    /// <summary>Size of the disk, in bytes.</summary>
    internal ulong CurrentSize { get; init; }

    internal VhdGeometry Geometry { get; init; }

    internal VhdDiskType DiskType { get; init; }

    /// <summary>The check sum that is stored.</summary>
    internal uint Checksum { get; init; }

    /// <summary>The check sum that the bytes have.</summary>
    internal uint ComputedChecksum { get; init; }

    /// <summary>What tells the disk from others, and a parent by. Its bytes are taken in the order of Windows.</summary>
    internal Guid UniqueId { get; init; }

    /// <summary>Whether a virtual machine was saved with the disk, and will go on with it.</summary>
    internal bool IsSavedState { get; init; }

    internal bool HasValidChecksum => Checksum == ComputedChecksum;

    /// <summary>Whether blocks are looked up in a table.</summary>
    internal bool HasTable => DiskType is VhdDiskType.Dynamic or VhdDiskType.Differencing;

    /// <summary>When the disk was made.</summary>
    internal DateTime CreationTime => TimeOf(TimeStamp);

    /// <summary>The time that a number of seconds is.</summary>
    internal static DateTime TimeOf(uint timeStamp) => Epoch.AddSeconds(timeStamp);

    /// <summary>The number of seconds of a time, of those that the field has.</summary>
    internal static uint TimeStampOf(DateTime time) => (uint)Math.Min(uint.MaxValue, Math.Max(0, (time.ToUniversalTime() - Epoch).Ticks / TimeSpan.TicksPerSecond));

    internal static bool HasCookie(ReadOnlySpan<byte> bytes) => bytes.StartsWith(Cookie);

    /// <summary>Takes the bytes apart, and judges nothing.</summary>
    /// <param name="bytes">The footer, with a zero in place of a byte that is missing.</param>
    internal static VhdFooter Parse(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes.Slice(0, Length);
        return new VhdFooter
        {
            Features = U32(bytes, 8),
            FormatVersion = U32(bytes, 12),
            DataOffset = BinaryPrimitives.ReadUInt64BigEndian(bytes.Slice(16)),
            TimeStamp = U32(bytes, 24),
            CreatorApplication = U32(bytes, 28),
            CreatorVersion = U32(bytes, 32),
            CreatorHostOs = U32(bytes, 36),
            OriginalSize = BinaryPrimitives.ReadUInt64BigEndian(bytes.Slice(40)),
            CurrentSize = BinaryPrimitives.ReadUInt64BigEndian(bytes.Slice(48)),
            Geometry = new VhdGeometry(BinaryPrimitives.ReadUInt16BigEndian(bytes.Slice(56)), bytes[58], bytes[59]),
            DiskType = (VhdDiskType)U32(bytes, 60),
            Checksum = U32(bytes, ChecksumPosition),
            ComputedChecksum = VhdChecksum.Of(bytes, ChecksumPosition),
            UniqueId = new Guid(bytes.Slice(68, 16).ToArray()),
            IsSavedState = bytes[84] != 0,
        };
    }

    /// <summary>The bytes of a footer that says this, with the check sum that they have.</summary>
    internal byte[] ToBytes()
    {
        byte[] bytes = new byte[Length];
        Cookie.CopyTo(bytes);
        SetU32(bytes, 8, Features);
        SetU32(bytes, 12, FormatVersion);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(16), DataOffset);
        SetU32(bytes, 24, TimeStamp);
        SetU32(bytes, 28, CreatorApplication);
        SetU32(bytes, 32, CreatorVersion);
        SetU32(bytes, 36, CreatorHostOs);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(40), OriginalSize);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(48), CurrentSize);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(56), Geometry.Cylinders);
        bytes[58] = Geometry.Heads;
        bytes[59] = Geometry.SectorsPerTrack;
        SetU32(bytes, 60, (uint)DiskType);
        UniqueId.ToByteArray().CopyTo(bytes, 68);
        bytes[84] = (byte)(IsSavedState ? 1 : 0);
        SetU32(bytes, ChecksumPosition, VhdChecksum.Of(bytes, ChecksumPosition));
        return bytes;
    }

    /// <summary>Refuses what is no disk that this engine reads.</summary>
    /// <exception cref="Qcow2Exception">A field has a value that is unknown, or past its limit.</exception>
    internal void RequireSupported()
    {
        if (FormatVersion >> 16 != KnownVersion)
        {
            throw Qcow2Errors.Unsupported($"The footer's file_format_version is 0x{FormatVersion:x8}; known is 0x00010000.");
        }

        if (DiskType is not (VhdDiskType.Fixed or VhdDiskType.Dynamic or VhdDiskType.Differencing))
        {
            throw Qcow2Errors.Unsupported($"The footer's disk_type is {(uint)DiskType}; known are 2 (fixed), 3 (dynamic) and 4 (differencing).");
        }

        if (CurrentSize > long.MaxValue)
        {
            throw Qcow2Errors.Limit("The footer's current_size", CurrentSize, long.MaxValue, "bytes");
        }
    }

    private static void SetU32(byte[] bytes, int position, uint value) => BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(position), value);

    private static uint U32(ReadOnlySpan<byte> bytes, int position) => BinaryPrimitives.ReadUInt32BigEndian(bytes.Slice(position));
}
