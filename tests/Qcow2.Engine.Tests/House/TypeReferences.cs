using System.Reflection;
using System.Reflection.Emit;

namespace Qcow2.Engine.Tests.House;

/// <summary>What types a type names: in what it derives from, in its members, and in its code.</summary>
internal static class TypeReferences
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<short, OpCode> OpCodesByValue = typeof(OpCodes).GetFields()
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    /// <summary>The types that a type and those inside it name, each by the outermost type that it lies in.</summary>
    internal static HashSet<Type> Of(Type type)
    {
        var found = new HashSet<Type>();
        Collect(type, found);
        found.Remove(type);
        return found;
    }

    private static void Collect(Type type, HashSet<Type> found)
    {
        Add(type.BaseType, found);
        Array.ForEach(type.GetInterfaces(), one => Add(one, found));
        AddAttributes(type.GetCustomAttributesData(), found);
        foreach (FieldInfo field in type.GetFields(All))
        {
            Add(field.FieldType, found);
            AddAttributes(field.GetCustomAttributesData(), found);
        }

        foreach (PropertyInfo property in type.GetProperties(All))
        {
            AddAttributes(property.GetCustomAttributesData(), found);
        }

        foreach (MethodBase method in type.GetMethods(All).Cast<MethodBase>().Concat(type.GetConstructors(All)))
        {
            Add((method as MethodInfo)?.ReturnType, found);
            Array.ForEach(method.GetParameters(), one => Add(one.ParameterType, found));
            AddAttributes(method.GetCustomAttributesData(), found);
            AddCode(method, found);
        }

        foreach (Type nested in type.GetNestedTypes(All))
        {
            Collect(nested, found);
        }
    }

    private static void AddAttributes(IEnumerable<CustomAttributeData> attributes, HashSet<Type> found)
    {
        foreach (CustomAttributeData attribute in attributes)
        {
            Add(attribute.AttributeType, found);
        }
    }

    private static void AddCode(MethodBase method, HashSet<Type> found)
    {
        if (method.GetMethodBody() is not MethodBody body)
        {
            return;
        }

        foreach (LocalVariableInfo local in body.LocalVariables)
        {
            Add(local.LocalType, found);
        }

        foreach (ExceptionHandlingClause clause in body.ExceptionHandlingClauses)
        {
            Add(clause.Flags == ExceptionHandlingClauseOptions.Clause ? clause.CatchType : null, found);
        }

        Type[]? typeArguments = method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : null;
        Type[]? methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : null;
        foreach (int token in Tokens(body.GetILAsByteArray()!))
        {
            MemberInfo? member = method.Module.ResolveMember(token, typeArguments, methodArguments);
            Add(member as Type ?? member?.DeclaringType, found);
            switch (member)
            {
                case FieldInfo field:
                    Add(field.FieldType, found);
                    break;
                case MethodBase called:
                    Add((called as MethodInfo)?.ReturnType, found);
                    Array.ForEach(called.GetParameters(), one => Add(one.ParameterType, found));
                    Array.ForEach(called.IsGenericMethod ? called.GetGenericArguments() : [], one => Add(one, found));
                    break;
            }
        }
    }

    /// <summary>The operands of instructions that name a member or a type (ECMA-335, partition III).</summary>
    private static IEnumerable<int> Tokens(byte[] code)
    {
        for (int i = 0; i < code.Length;)
        {
            short value = code[i++];
            if (value == 0xfe)
            {
                value = (short)(0xfe00 | code[i++]);
            }

            OpCode instruction = OpCodesByValue[value];
            switch (instruction.OperandType)
            {
                case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType:
                    yield return BitConverter.ToInt32(code, i);
                    i += 4;
                    break;
                case OperandType.InlineSwitch:
                    i += 4 + (4 * BitConverter.ToInt32(code, i));
                    break;
                case OperandType.InlineNone:
                    break;
                case OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar:
                    i += 1;
                    break;
                case OperandType.InlineVar:
                    i += 2;
                    break;
                case OperandType.InlineI8 or OperandType.InlineR:
                    i += 8;
                    break;
                default:
                    i += 4;
                    break;
            }
        }
    }

    private static void Add(Type? type, HashSet<Type> found)
    {
        while (type is not null && (type.HasElementType || type.DeclaringType is not null))
        {
            foreach (Type argument in type.IsGenericType ? type.GetGenericArguments() : [])
            {
                Add(argument, found);
            }

            type = type.HasElementType ? type.GetElementType() : type.IsGenericParameter ? null : type.DeclaringType;
        }

        if (type is null || type.IsGenericParameter)
        {
            return;
        }

        foreach (Type argument in type.IsGenericType ? type.GetGenericArguments() : [])
        {
            Add(argument, found);
        }

        found.Add(type.IsGenericType ? type.GetGenericTypeDefinition() : type);
    }
}
