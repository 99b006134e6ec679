namespace Qcow2.Engine.Format;

/// <summary>How guest data is encrypted: the numbers of QEMU's formats (<c>crypt_method</c> in their headers).</summary>
public enum EncryptionMethod : uint
{
    /// <summary>Not encrypted.</summary>
    None = 0,

    /// <summary>The legacy method: AES-CBC keyed with the passphrase itself. Long deprecated; read so that data can be freed.</summary>
    Aes = 1,

    /// <summary>LUKS version 1; its header lies in the image.</summary>
    Luks = 2,
}
