namespace Qcow2.Engine;

/// <summary>What can be done with a file of a kind, as far as a disk is wanted.</summary>
public enum FileNature
{
    /// <summary>The file holds nothing.</summary>
    Empty,

    /// <summary>An image of a disk, in another format than QCOW2 and raw.</summary>
    DiskImage,

    /// <summary>Compressed; a disk may be inside.</summary>
    Compressed,

    /// <summary>An archive of files; a disk may be among them.</summary>
    Archive,

    /// <summary>Text: an error page, a description, a pointer to the real file.</summary>
    Text,

    /// <summary>Something else that is no disk, such as a program or a document.</summary>
    Other,

    /// <summary>What a disk begins as: a partition table, a file system, the content of a CD. Such a file is a raw disk.</summary>
    RawDisk,
}
