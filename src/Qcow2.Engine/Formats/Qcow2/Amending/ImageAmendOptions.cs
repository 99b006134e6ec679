namespace Qcow2.Engine;

/// <summary>What to change of an image's layout. What is null stays as it is.</summary>
public sealed record ImageAmendOptions
{
    /// <summary>The version of the format.</summary>
    public int? Version { get; init; }

    /// <summary>The width of refcounts, in bits: 1, 2, 4, 8, 16, 32 or 64. In version 2 it is 16.</summary>
    public int? RefcountBits { get; init; }

    /// <summary>Whether QEMU may postpone updates of the refcounts. Version 3 only.</summary>
    public bool? LazyRefcounts { get; init; }

    /// <summary>
    /// The name of the external data file, as it will be stored: relative to the image's folder, or absolute. No file is opened, moved or
    /// renamed; the image must have a data file already.
    /// </summary>
    public string? DataFile { get; init; }

    /// <summary>
    /// False: the external data file alone need not be a raw image of the disk any more, so that the image can have a backing file. It can
    /// not be made true again.
    /// </summary>
    public bool? DataFileRaw { get; init; }

    /// <summary>
    /// The passphrase of an encrypted image. It is needed only where clusters of zeros have to be written, on the way to version 2.
    /// </summary>
    public Passphrase? Passphrase { get; init; }
}
