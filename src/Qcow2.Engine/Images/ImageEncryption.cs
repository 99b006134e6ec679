using Qcow2.Engine.Codecs;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>Finds an image's encryption header and unlocks it.</summary>
internal static class ImageEncryption
{
    /// <summary>Reads the LUKS header of an image.</summary>
    /// <returns>Null if the image is not encrypted with LUKS.</returns>
    /// <exception cref="Qcow2Exception">The LUKS header is damaged or does not lie inside the file.</exception>
    internal static LuksHeader? ReadLuksHeader(BlockStorage image, Qcow2Header header)
    {
        if (header.EncryptionMethod != EncryptionMethod.Luks || header.Extension<EncryptionHeaderExtension>() is not { } extension)
        {
            return null;
        }

        long fileLength = image.Length;
        if (extension.Offset > fileLength - extension.HeaderLength)
        {
            throw Qcow2Errors.PastEnd("The LUKS header", (ulong)extension.Offset, (ulong)extension.HeaderLength, fileLength);
        }

        byte[] bytes = new byte[LuksHeader.Size];
        image.ReadZeroPadded(extension.Offset, bytes);
        return LuksHeader.Parse(bytes, extension.HeaderLength);
    }

    /// <summary>Makes the cipher of an image.</summary>
    /// <returns>Null if the image is not encrypted or no passphrase was given.</returns>
    /// <exception cref="Qcow2Exception">The passphrase opens no key slot, or the LUKS header is damaged.</exception>
    internal static SectorCipher? Unlock(BlockStorage image, Qcow2Header header, Passphrase? passphrase, CancellationToken cancellationToken)
    {
        if (passphrase is null || header.EncryptionMethod == EncryptionMethod.None)
        {
            return null;
        }

        if (ReadLuksHeader(image, header) is not LuksHeader luks)
        {
            return LegacyAesCipher.Create(passphrase);
        }

        long start = header.Extension<EncryptionHeaderExtension>()!.Offset;
        return LuksUnlocker.Unlock(luks, (offset, buffer) => image.ReadZeroPadded(start + offset, buffer), passphrase, cancellationToken);
    }
}
