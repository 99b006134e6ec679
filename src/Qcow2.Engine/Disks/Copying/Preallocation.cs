namespace Qcow2.Engine;

/// <summary>What a new image allocates in advance.</summary>
public enum Preallocation
{
    /// <summary>Nothing: the file grows as the disk is written.</summary>
    Off,

    /// <summary>All tables, and a place for each cluster; the file is sparse.</summary>
    Metadata,

    /// <summary>As <see cref="Metadata"/>, and the host reserves the space without writing it.</summary>
    Falloc,

    /// <summary>As <see cref="Metadata"/>, and zeros are written to all of it, encrypted where the image is.</summary>
    Full,
}
