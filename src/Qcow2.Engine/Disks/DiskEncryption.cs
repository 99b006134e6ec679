namespace Qcow2.Engine.Disks;

/// <summary>How the bytes of a disk are kept in its file, as far as it matters to whoever compares places of files.</summary>
internal enum DiskEncryption
{
    /// <summary>As they are.</summary>
    None,

    /// <summary>Encrypted with a key that lies in the file: what one place decrypts to is the same for everybody.</summary>
    KeyInFile,

    /// <summary>Encrypted with a key that each who opens the file makes: nobody knows whether it is the same.</summary>
    KeyOfOpener,
}
