using System.Text;
using Qcow2.Engine.Disks;

namespace Qcow2.Engine.Nbd;

/// <summary>What a bitmap marks of a disk, for clients to ask for as <c>qemu:dirty-bitmap:NAME</c>.</summary>
/// <param name="Name">The bitmap's name.</param>
/// <param name="Ranges">What it marks, in order; as <see cref="Qcow2Image.GetBitmapRanges"/> has it.</param>
public sealed record NbdBitmap(string Name, IReadOnlyList<DiskRange> Ranges);

/// <summary>A disk as clients of a server see it.</summary>
public sealed class NbdExport : IDisposable
{
    private const int MaxStringBytes = 4096;

    private readonly VirtualDisk _disk;
    private readonly IDisposable _owner;

    /// <summary>Describes what is served.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="name">The name that clients ask for; at most 4,096 bytes of UTF-8. The empty name means this export whatever its name is.</param>
    /// <param name="isWritable">Whether clients may write; the disk must be open for writing then.</param>
    /// <param name="bitmaps">The bitmaps that clients can ask about; of a disk that is not written.</param>
    /// <param name="owner">What is closed with the server; null for the disk alone.</param>
    /// <exception cref="ArgumentException">The name is too long, or the disk cannot be written.</exception>
    /// <exception cref="Qcow2Exception">A file of the disk is encrypted, and its passphrase was not given.</exception>
    public NbdExport(VirtualDisk disk, string name = "", bool isWritable = false, IReadOnlyList<NbdBitmap>? bitmaps = null, IDisposable? owner = null)
    {
        if (Encoding.UTF8.GetByteCount(name) > MaxStringBytes || name.Any(character => character == '\0'))
        {
            throw new ArgumentException($"The name of an export has at most {MaxStringBytes} bytes of UTF-8, and none that is zero.", nameof(name));
        }

        if (isWritable && !disk.CanWrite)
        {
            throw new ArgumentException($"{disk.Path}: the disk is open for reading only.", nameof(isWritable));
        }

        if (isWritable && bitmaps is { Count: > 0 })
        {
            throw new ArgumentException($"{disk.Path}: what bitmaps mark changes while the disk is written.", nameof(bitmaps));
        }

        disk.EnsureReadable(); // Later only clients would learn that a passphrase is missing, as an error of the device.
        _disk = disk;
        _owner = owner ?? disk;
        Name = name;
        IsWritable = isWritable;
        Contexts = [new NbdAllocationContext(disk), new NbdDepthContext(disk), .. (bitmaps ?? []).Select(bitmap => new NbdBitmapContext(bitmap))];
        Length = disk.Length;
    }

    /// <summary>The name that clients ask for.</summary>
    public string Name { get; }

    /// <summary>Whether clients may write.</summary>
    public bool IsWritable { get; }

    /// <summary>Size of the disk, in bytes, for as long as it is served.</summary>
    public long Length { get; }

    internal VirtualDisk Disk => _disk;

    internal IReadOnlyList<NbdContext> Contexts { get; }

    /// <summary>
    /// What clients are told of the export. All connections share one disk and its caches, so each may be used beside others, and a flush
    /// on one is a flush of what was written through any.
    /// </summary>
    internal NbdTransmissionFlags FlagsFor(bool structured)
    {
        NbdTransmissionFlags flags = NbdTransmissionFlags.HasFlags | NbdTransmissionFlags.SendFlush | NbdTransmissionFlags.SendFua | NbdTransmissionFlags.CanMultiConn;
        flags |= IsWritable ? NbdTransmissionFlags.SendTrim | NbdTransmissionFlags.SendWriteZeroes : NbdTransmissionFlags.ReadOnly;
        return structured ? flags | NbdTransmissionFlags.SendDf : flags;
    }

    internal bool IsCalled(string name) => name.Length == 0 || string.Equals(name, Name, StringComparison.Ordinal);

    /// <summary>Closes the disk.</summary>
    public void Dispose()
    {
        try
        {
            if (IsWritable)
            {
                _disk.Flush();
            }
        }
        finally
        {
            _owner.Dispose();
        }
    }
}
