namespace Qcow2.Engine.Storage;

/// <summary>What can stand at a path.</summary>
public enum FileKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A file that holds bytes: the only sort that a new file takes the place of.</summary>
    Regular,

    /// <summary>A folder.</summary>
    Folder,

    /// <summary>A disk, or a part of one. It is written into, and never replaced.</summary>
    BlockDevice,

    /// <summary>A device that is no disk, such as <c>/dev/null</c> or a terminal.</summary>
    CharacterDevice,

    /// <summary>A named pipe.</summary>
    Pipe,

    /// <summary>A socket.</summary>
    Socket,

    /// <summary>A symbolic link, where what it leads to is not asked.</summary>
    SymbolicLink,

    /// <summary>Something that this engine does not know.</summary>
    Other,
}
