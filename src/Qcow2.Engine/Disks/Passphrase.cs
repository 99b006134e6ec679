using System.Runtime.InteropServices;
using System.Security;
using System.Security.Cryptography;
using System.Text;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine;

/// <summary>
/// The passphrase of an encrypted image: UTF-8 bytes in pinned memory that <see cref="Dispose"/> zeroes, and with them the keys that were
/// derived from it. The object belongs to whoever made it, and has to live until the image is open.
/// </summary>
public sealed class Passphrase : IDisposable
{
    // Strict, because a replacement character would silently make another passphrase of an ill-formed one.
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly SecretBuffer _utf8;
    private bool _disposed;

    private Passphrase(SecretBuffer utf8) => _utf8 = utf8;

    /// <summary>Keys that were derived from it, each of which took its time.</summary>
    internal DerivedKeys Keys { get; } = new();

    /// <summary>The passphrase as it goes into key derivation.</summary>
    /// <exception cref="ObjectDisposedException">The passphrase was disposed of before it was used.</exception>
    internal ReadOnlySpan<byte> Utf8
        => _disposed ? throw new ObjectDisposedException(nameof(Passphrase)) : _utf8.Span;

    /// <summary>A passphrase from text. The string itself stays in memory until it is garbage collected.</summary>
    /// <param name="value">The passphrase; the empty string is one too.</param>
    /// <exception cref="ArgumentException">The text is not well-formed UTF-16.</exception>
    public static Passphrase FromString(string value)
        => Encode((value ?? throw new ArgumentNullException(nameof(value))).AsSpan(), nameof(value));

    /// <summary>A passphrase from the bytes that were given to QEMU or cryptsetup, such as the content of a secret's file.</summary>
    /// <param name="value">The bytes, copied; they need not be well-formed UTF-8.</param>
    public static Passphrase FromUtf8(ReadOnlySpan<byte> value) => new(SecretBuffer.CopyOf(value));

    /// <summary>A passphrase from a <see cref="SecureString"/>, leaving no copy of the text on the managed heap.</summary>
    /// <param name="value">The passphrase, which stays the caller's.</param>
    /// <exception cref="ArgumentException">The text is not well-formed UTF-16.</exception>
    public static unsafe Passphrase FromSecureString(SecureString value)
    {
        IntPtr text = Marshal.SecureStringToGlobalAllocUnicode(value ?? throw new ArgumentNullException(nameof(value)));
        try
        {
            return Encode(new ReadOnlySpan<char>((void*)text, value.Length), nameof(value));
        }
        finally
        {
            Marshal.ZeroFreeGlobalAllocUnicode(text);
        }
    }

    /// <summary>Whether two passphrases are the same, and open the same images: then one of them is enough, and no key is derived twice.</summary>
    /// <param name="other">The other one.</param>
    /// <exception cref="ObjectDisposedException">One of them was disposed of.</exception>
    public bool IsSameAs(Passphrase other)
        => CryptographicOperations.FixedTimeEquals(Utf8, (other ?? throw new ArgumentNullException(nameof(other))).Utf8);

    /// <summary>The type's name, never the passphrase.</summary>
    public override string ToString() => nameof(Passphrase);

    /// <summary>Zeroes the passphrase.</summary>
    public void Dispose()
    {
        _disposed = true;
        Keys.Dispose();
        _utf8.Dispose();
    }

    private static unsafe Passphrase Encode(ReadOnlySpan<char> text, string parameterName)
    {
        if (text.IsEmpty)
        {
            return new Passphrase(new SecretBuffer(0));
        }

        fixed (char* chars = text)
        {
            SecretBuffer? utf8 = null;
            try
            {
                utf8 = new SecretBuffer(StrictUtf8.GetByteCount(chars, text.Length));
                fixed (byte* bytes = utf8.Array)
                {
                    StrictUtf8.GetBytes(chars, text.Length, bytes, utf8.Array.Length);
                }

                return new Passphrase(utf8);
            }
            catch (EncoderFallbackException)
            {
                // Not passed on as the inner exception: its message quotes the character and its place.
                utf8?.Dispose();
                throw new ArgumentException("The passphrase is not well-formed text: it holds half a surrogate pair.", parameterName);
            }
        }
    }
}
