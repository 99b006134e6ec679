using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Qcow2;

/// <summary>What the tests use of .NET, .NET Framework does not have, and the package Polyfill neither.</summary>
internal static class NewerApi
{
    extension(Path)
    {
        public static string GetFullPath(string path, string basePath) => Path.GetFullPath(Path.Combine(basePath, path));
    }

    extension(File)
    {
        public static void CreateSymbolicLink(string path, string target)
        {
            if (MakeLink(Encoding.UTF8.GetBytes(target + "\0"), Encoding.UTF8.GetBytes(path + "\0")) != 0)
            {
                throw new IOException($"{path} could not be made a link.");
            }
        }
    }

    extension(FileInfo file)
    {
        public string? LinkTarget
        {
            get
            {
                byte[] target = new byte[4096];
                int length = (int)ReadLink(Encoding.UTF8.GetBytes(file.FullName + "\0"), target, target.Length);
                return length < 0 ? null : Encoding.UTF8.GetString(target, 0, length);
            }
        }
    }

    extension(CompressionLevel)
    {
        public static CompressionLevel SmallestSize => CompressionLevel.Optimal;
    }

    extension(Array)
    {
        public static void Clear(Array array) => Array.Clear(array, 0, array.Length);
    }

    extension(string text)
    {
        public static string Create(IFormatProvider provider, FormattableString value) => value.ToString(provider);

        public string Replace(string oldValue, string newValue, StringComparison comparison)
            => comparison == StringComparison.Ordinal ? text.Replace(oldValue, newValue) : throw new NotSupportedException();
    }

    extension(System.Diagnostics.Process process)
    {
        public bool WaitForExit(TimeSpan timeout) => process.WaitForExit((int)timeout.TotalMilliseconds);
    }

    extension<T>(T[] array)
    {
        public Span<T> AsSpan(Range range)
        {
            (int offset, int length) = range.GetOffsetAndLength(array.Length);
            return array.AsSpan(offset, length);
        }
    }

    extension(Aes aes)
    {
        public byte[] EncryptEcb(byte[] plaintext, PaddingMode padding) => Encrypt(aes, CipherMode.ECB, plaintext, new byte[16], padding);

        public void EncryptCbc(Span<byte> plaintext, byte[] iv, Span<byte> destination, PaddingMode padding)
            => Encrypt(aes, CipherMode.CBC, plaintext.ToArray(), iv, padding).CopyTo(destination);
    }

    private static byte[] Encrypt(Aes aes, CipherMode mode, byte[] plaintext, byte[] iv, PaddingMode padding)
    {
        aes.Mode = mode;
        aes.Padding = padding;
        using ICryptoTransform encryptor = aes.CreateEncryptor(aes.Key, iv);
        return encryptor.TransformFinalBlock(plaintext, 0, plaintext.Length);
    }

    [DllImport("libc", EntryPoint = "symlink")]
    private static extern int MakeLink(byte[] target, byte[] path);

    [DllImport("libc", EntryPoint = "readlink")]
    private static extern nint ReadLink(byte[] path, byte[] target, nint size);
}
