namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>When a hostile image must be found out.</summary>
public enum HostileStage
{
    /// <summary>Opening the image throws.</summary>
    Open,

    /// <summary>The image opens, and its disk can be read; listing its bitmaps throws.</summary>
    Bitmaps,

    /// <summary>
    /// The image opens, and its disk can be read; finding and opening the snapshot <see cref="HostileImageCase.SnapshotId"/>
    /// throws.
    /// </summary>
    Snapshot,

    /// <summary>The image opens, for the rest of it is sound; reading a sector at <see cref="HostileImageCase.ReadOffset"/> throws.</summary>
    Read,

    /// <summary>Nothing throws: the image is odd but legal, or QEMU and its users live with the flaw.</summary>
    Never,
}

/// <summary>What qemu-img does with the image.</summary>
public enum QemuVerdict
{
    /// <summary>It refuses to open it.</summary>
    RefusesToOpen,

    /// <summary>It opens it, but not the snapshot <see cref="HostileImageCase.SnapshotId"/>.</summary>
    RefusesSnapshot,

    /// <summary>It opens it, but cannot read the sector at <see cref="HostileImageCase.ReadOffset"/>.</summary>
    FailsToRead,

    /// <summary>It notices nothing.</summary>
    Accepts,
}

/// <summary>An image that somebody could hand us, and what must come of it.</summary>
/// <param name="Name">Says what is wrong.</param>
/// <param name="Build">The bytes of the file.</param>
/// <param name="Stage">When it must be found out.</param>
/// <param name="Code">The error's code; null with <see cref="HostileStage.Never"/>.</param>
/// <param name="Fragments">What the message must contain, whatever the case of letters: the field and its value.</param>
/// <param name="Qemu">What qemu-img 7.2 does; a test holds the table to it.</param>
public sealed record HostileImageCase(
    string Name, Func<byte[]> Build, HostileStage Stage, Qcow2ErrorCode? Code, string[] Fragments, QemuVerdict Qemu)
{
    /// <summary>Guest offset of the sector to read. In the cases that are not about reading it is sound.</summary>
    public long ReadOffset { get; init; }

    /// <summary>What that sector holds; null where the case is not about that.</summary>
    public byte[]? Sector { get; init; }

    /// <summary>The snapshot to open.</summary>
    public string? SnapshotId { get; init; }

    /// <summary>The passphrase to open the image with.</summary>
    public string? Passphrase { get; init; }

    /// <summary>Files to put beside the image.</summary>
    public IReadOnlyDictionary<string, byte[]> Files { get; init; } = new Dictionary<string, byte[]>();

    public override string ToString() => Name;
}
