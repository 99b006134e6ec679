namespace Qcow2.Engine;

/// <summary>How to check an image.</summary>
public sealed record Qcow2CheckOptions
{
    /// <summary>The defaults: metadata only, all processors, the first 1,000 findings.</summary>
    public static Qcow2CheckOptions Default { get; } = new();

    /// <summary>Threads at work. The number of processors by default.</summary>
    public int ThrottleLimit { get; init; } = Environment.ProcessorCount;

    /// <summary>Most findings that are kept. What is found beyond them is counted only. 1,000 by default.</summary>
    public int MaxFindings { get; init; } = 1_000;

    /// <summary>
    /// Also read all data that the image's tables lead to, of the active disk and of every snapshot, and decompress what is
    /// compressed. An external data file is not read. What cannot be read is a corruption, which <c>qemu-img check</c> does not
    /// look for.
    /// </summary>
    public bool ReadData { get; init; }

    /// <summary>
    /// Also warn of all that a service does not take from people it does not trust, though it is no damage: references to other
    /// files, tables that make up most of the file, and an image at the start of a fixed VHD. No file but the image is opened. An image with a
    /// warning is not healthy.
    /// </summary>
    public bool Untrusted { get; init; }

    /// <summary>
    /// Check the image although another program may be writing it, as <c>qemu-img -U</c> does. What is found may then be no
    /// damage at all. A repair is refused all the same.
    /// </summary>
    public bool ForceShare { get; init; }

    /// <summary>
    /// Which files may be opened because an image names them: the extents of a VMDK disk, and the parent of a differencing disk, whose id is looked at.
    /// With <see cref="Untrusted"/> none is. A qcow2 image's backing and data files are not opened. <see cref="ReferencePolicy.Follow"/> by default.
    /// </summary>
    public ReferencePolicy References { get; init; } = ReferencePolicy.Follow;

    /// <summary>Files among which the parent of a differencing disk is looked for whose format names none (<see cref="Qcow2OpenOptions.ParentPaths"/>).</summary>
    public IReadOnlyList<string> ParentPaths { get; init; } = [];
}

/// <summary>How far a check has come.</summary>
/// <param name="BytesDone">Bytes of tables that were examined, or of the disk that were read.</param>
/// <param name="BytesTotal">Bytes of tables that the image has, or of the disk; 0 while that is not known.</param>
public readonly record struct Qcow2CheckProgress(long BytesDone, long BytesTotal);
